/**
 * The sizes at which a picture is worked on. Pure.
 *
 * - `processed` is what detection sees and what usage counts. It is bounded by area, not by the longer side, so that
 *   a receipt of 600 × 6,000 pixels stays readable.
 * - `working` is what lines are cut from: the source itself, or smaller where that would only cost memory.
 * - Neither ever enlarges the picture. Both are symmetric in width and height, so a turn by EXIF changes no count.
 */
import { LeaseholdError } from "../../../errors.ts";

export const MAX_SOURCE_PIXELS = 40_000_000;
const PROCESSED: Bounds = { pixels: 1_500_000, side: 8192 };
/** Within what every browser's canvas takes (Safari on phones: 16.7 megapixels). */
const WORKING: Bounds = { pixels: 10_000_000, side: 16_384 };

interface Bounds {
  readonly pixels: number;
  readonly side: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The size as processed. Throws `image-too-large` above `MAX_SOURCE_PIXELS`. */
export function planOcr(width: number, height: number): Size {
  requireAcceptable(width, height);
  return fit(width, height, PROCESSED);
}

/** The size at which lines are cut out. */
export const workingSize = (width: number, height: number): Size => fit(width, height, WORKING);

export function requireAcceptable(width: number, height: number): void {
  if (width * height <= MAX_SOURCE_PIXELS) return;
  throw new LeaseholdError(
    "image-too-large",
    `The image has ${megapixels(width * height)} megapixels (${width} × ${height}); at most ${megapixels(MAX_SOURCE_PIXELS)} are read. Make it smaller and try again.`,
  );
}

const megapixels = (pixels: number): string => (pixels / 1e6).toFixed(1).replace(/\.0$/, "");

/** Same shape, within the bounds, each side at least 1. */
function fit(width: number, height: number, bounds: Bounds): Size {
  const scale = Math.min(1, Math.sqrt(bounds.pixels / (width * height)), bounds.side / Math.max(width, height));
  return { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)) };
}
