/**
 * The detection stage: picture → tensor, probability map → boxes in source pixels. Pure.
 *
 * The network wants sides that are multiples of 32; the rest is filled with the picture's edge, which holds no text.
 */
import { findTextBoxes, type TextBox } from "./db.ts";
import type { RotatedRect } from "./geometry.ts";
import type { Size } from "./plan.ts";
import { drawRect, type Normalization, type Raster } from "./raster.ts";

const STRIDE = 32;

// ImageNet's mean and deviation, applied in B, G, R order as in training.
const MEAN = [0.485, 0.456, 0.406] as const;
const DEVIATION = [0.229, 0.224, 0.225] as const;
const NORMALIZATION: Normalization = {
  scale: [1 / 255 / DEVIATION[0], 1 / 255 / DEVIATION[1], 1 / 255 / DEVIATION[2]],
  offset: [-MEAN[0] / DEVIATION[0], -MEAN[1] / DEVIATION[1], -MEAN[2] / DEVIATION[2]],
};

export interface DetectionInput {
  readonly tensor: Float32Array;
  /** [1, 3, height, width] */
  readonly dims: readonly [1, 3, number, number];
}

export const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

/** The tensor of `raster` at the size `processed`, in its top left corner. */
export function prepareDetection(raster: Raster, processed: Size): DetectionInput {
  const width = roundUp(processed.width, STRIDE);
  const height = roundUp(processed.height, STRIDE);
  const tensor = new Float32Array(3 * width * height);
  // A rectangle that sticks out of the picture to the right and below: drawing repeats the edge there.
  const source: RotatedRect = coverOf(raster, width / processed.width, height / processed.height);
  drawRect(raster, source, 0, { tensor, offset: 0, rowStride: width, planeStride: width * height, width, height }, NORMALIZATION);
  return { tensor, dims: [1, 3, height, width] };
}

function coverOf(raster: Raster, timesWidth: number, timesHeight: number): RotatedRect {
  const width = raster.width * timesWidth;
  const height = raster.height * timesHeight;
  return { cx: width / 2, cy: height / 2, width, height, angle: 0 };
}

/** Boxes in the pixels of the picture as processed; text "found" only in the filled margin is dropped. */
export function readDetection(map: Float32Array, input: DetectionInput, processed: Size): TextBox[] {
  const [, , height, width] = input.dims;
  return findTextBoxes(map, width, height).filter(({ rect }) => rect.cx < processed.width && rect.cy < processed.height);
}
