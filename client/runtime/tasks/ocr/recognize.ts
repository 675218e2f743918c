/**
 * The recognition stage: boxes → batches of line pictures. Pure.
 *
 * - A line is drawn 48 pixels high and as wide as it needs; lines of like width share a batch.
 * - What a line leaves of its row stays 0, mid-grey, as in training.
 * - Every job is in exactly one batch.
 */
import { roundUp } from "./detect.ts";
import type { RotatedRect } from "./geometry.ts";
import { drawRect, type Normalization, type Raster, type Turn } from "./raster.ts";

export const LINE_HEIGHT = 48;
const MAX_WIDTH = 4096;

/**
 * What is drawn above and below a box, in parts of its height. A box fits its letters tightly; on the lines that it
 * was chosen on, this margin took the share read exactly from 78 % to 95 %, nearly all of it spaces between words.
 */
const MARGIN = 0.2;

const NORMALIZATION: Normalization = { scale: [2 / 255, 2 / 255, 2 / 255], offset: [-1, -1, -1] };

/** One way to read one box. */
export interface LineJob {
  readonly box: number;
  readonly rect: RotatedRect;
  readonly turn: Turn;
}

export interface Batching {
  /** Widths are rounded up to a multiple of this. */
  readonly bucket: number;
  /** Lines × width: bounds a batch's memory, and the time between two looks at an abort. */
  readonly columns: number;
}

export interface Batch {
  readonly jobs: readonly LineJob[];
  readonly width: number;
}

export interface RecognitionInput {
  readonly tensor: Float32Array;
  /** [lines, 3, 48, width] */
  readonly dims: readonly [number, 3, typeof LINE_HEIGHT, number];
}

/** The width at which a line is drawn. */
export function lineWidth({ rect, turn }: LineJob): number {
  const [along, across] = turn % 2 === 1 ? [rect.height, rect.width] : [rect.width, rect.height];
  return Math.min(MAX_WIDTH, Math.max(LINE_HEIGHT / 4, Math.ceil((LINE_HEIGHT * along) / (across * (1 + 2 * MARGIN)))));
}

/** Narrow lines first. */
export function planBatches(jobs: readonly LineJob[], { bucket, columns }: Batching): Batch[] {
  const batches: { jobs: LineJob[]; width: number }[] = [];
  for (const job of [...jobs].sort((a, b) => lineWidth(a) - lineWidth(b))) {
    const width = roundUp(lineWidth(job), bucket);
    const last = batches.at(-1);
    if (last && last.width === width && (last.jobs.length + 1) * width <= columns) last.jobs.push(job);
    else batches.push({ jobs: [job], width });
  }
  return batches;
}

export function prepareLines(raster: Raster, batch: Batch): RecognitionInput {
  const planeStride = LINE_HEIGHT * batch.width;
  const tensor = new Float32Array(batch.jobs.length * 3 * planeStride);
  batch.jobs.forEach((job, index) => {
    const target = { tensor, offset: index * 3 * planeStride, rowStride: batch.width, planeStride, width: lineWidth(job), height: LINE_HEIGHT };
    drawRect(raster, withMargin(job), job.turn, target, NORMALIZATION);
  });
  return { tensor, dims: [batch.jobs.length, 3, LINE_HEIGHT, batch.width] };
}

function withMargin({ rect, turn }: LineJob): RotatedRect {
  return turn % 2 === 1 ? { ...rect, width: rect.width * (1 + 2 * MARGIN) } : { ...rect, height: rect.height * (1 + 2 * MARGIN) };
}
