/**
 * What `preprocessor_config.json` makes of a picture. Pure.
 *
 * - Resized so that the shorter side fits (or to a fixed size), cut out at the middle, scaled, mean and deviation taken.
 * - A size that is one number (older files): the shorter side's where something is cut out of it, else that of a square.
 */
import type { JsonObject } from "../../tokenizer/tokenizer.ts";

export interface PicturePlan {
  /** The picture as the model sees it. */
  readonly width: number;
  readonly height: number;
  /** Where the source is drawn in it; may reach over the edges. */
  readonly place: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

export function planPicture(config: JsonObject, source: Size): PicturePlan {
  const isCut = config["do_center_crop"] === true;
  const resized = config["do_resize"] === false ? source : resize(config["size"] ?? 224, source, isCut);
  const seen = isCut ? fixed(config["crop_size"] ?? config["size"] ?? 224) : resized;
  return { ...seen, place: { x: Math.floor((seen.width - resized.width) / 2), y: Math.floor((seen.height - resized.height) / 2), ...resized } };
}

/** [3, height, width], from RGBA. */
export function pixelValues(config: JsonObject, rgba: Uint8ClampedArray, { width, height }: Size): Float32Array {
  const scale = config["do_rescale"] === false ? 1 : numberOf(config["rescale_factor"], 1 / 255);
  const normalizes = config["do_normalize"] !== false;
  const mean = normalizes ? triple(config["image_mean"], 0.5) : [0, 0, 0];
  const deviation = normalizes ? triple(config["image_std"], 0.5) : [1, 1, 1];
  const plane = width * height;
  const values = new Float32Array(3 * plane);
  for (let channel = 0; channel < 3; channel++) {
    const [from, by] = [mean[channel] ?? 0, deviation[channel] ?? 1];
    for (let at = 0; at < plane; at++) values[channel * plane + at] = ((rgba[at * 4 + channel] ?? 0) * scale - from) / by;
  }
  return values;
}

function resize(size: unknown, source: Size, isCut: boolean): Size {
  const shortest = typeof size === "number" ? (isCut ? size : null) : typeof size === "object" && size !== null && "shortest_edge" in size ? numberOf(size.shortest_edge, 224) : null;
  if (shortest === null) return fixed(size);
  const scale = shortest / Math.min(source.width, source.height);
  return { width: Math.max(1, Math.round(source.width * scale)), height: Math.max(1, Math.round(source.height * scale)) };
}

function fixed(size: unknown): Size {
  if (typeof size === "number") return { width: size, height: size };
  const { width, height, shortest_edge: shortest } = (size ?? {}) as Readonly<Record<string, unknown>>;
  return { width: numberOf(width ?? shortest, 224), height: numberOf(height ?? shortest, 224) };
}

const numberOf = (value: unknown, otherwise: number): number => (typeof value === "number" && value > 0 ? value : otherwise);
const triple = (value: unknown, otherwise: number): readonly number[] => (Array.isArray(value) && value.length === 3 ? value.map(Number) : [otherwise, otherwise, otherwise]);
