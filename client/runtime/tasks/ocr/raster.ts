/**
 * Pixels into tensors. Pure.
 *
 * - A picture is RGBA, opaque, with its size; outside of it lies its nearest edge pixel.
 * - Tensors are planar B, G, R: PP-OCR was trained on OpenCV's channel order.
 * - Shrinking averages a grid of bilinear samples per output pixel; enlarging is bilinear.
 */
import type { RotatedRect } from "./geometry.ts";

export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray | Uint8Array;
}

/** Clockwise quarter turns of what a rectangle holds. */
export type Turn = 0 | 1 | 2 | 3;

/** value × scale + offset, for the three planes in B, G, R order. */
export interface Normalization {
  readonly scale: readonly [number, number, number];
  readonly offset: readonly [number, number, number];
}

export interface Target {
  readonly tensor: Float32Array;
  /** Where this picture begins in the tensor. */
  readonly offset: number;
  /** Elements from one row to the next, and from one plane to the next. */
  readonly rowStride: number;
  readonly planeStride: number;
  readonly width: number;
  readonly height: number;
}

/** Draws what `rect` holds, turned by `turn`, over the whole of `target`. */
export function drawRect(source: Raster, rect: RotatedRect, turn: Turn, target: Target, normalization: Normalization): void {
  const sideways = turn % 2 === 1;
  const [acrossLength, downLength] = sideways ? [rect.height, rect.width] : [rect.width, rect.height];
  // One output pixel to the right, and one down, as steps in the source.
  const angle = rect.angle - (turn * Math.PI) / 2;
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const perX = acrossLength / target.width;
  const perY = downLength / target.height;
  const tapsX = Math.max(1, Math.round(perX));
  const tapsY = Math.max(1, Math.round(perY));
  const weight = 1 / (tapsX * tapsY);
  const { width, height, data } = source;
  const { scale, offset } = normalization;
  const { tensor, planeStride } = target;
  const lightness = (index: number): number => data[index] ?? 0;

  for (let row = 0; row < target.height; row++) {
    let at = target.offset + row * target.rowStride;
    for (let column = 0; column < target.width; column++, at++) {
      let blue = 0;
      let green = 0;
      let red = 0;
      for (let tapY = 0; tapY < tapsY; tapY++) {
        const v = (row + (tapY + 0.5) / tapsY) * perY - downLength / 2;
        for (let tapX = 0; tapX < tapsX; tapX++) {
          const u = (column + (tapX + 0.5) / tapsX) * perX - acrossLength / 2;
          // The centre of pixel (0, 0) lies at (0.5, 0.5).
          const x = clamp(rect.cx + u * cos - v * sin - 0.5, width - 1);
          const y = clamp(rect.cy + u * sin + v * cos - 0.5, height - 1);
          const left = Math.floor(x);
          const top = Math.floor(y);
          const fx = x - left;
          const fy = y - top;
          const stepX = left + 1 < width ? 4 : 0;
          const stepY = top + 1 < height ? 4 * width : 0;
          const p = 4 * (top * width + left);
          const q = p + stepX;
          const r = p + stepY;
          const s = q + stepY;
          const a = (1 - fx) * (1 - fy);
          const b = fx * (1 - fy);
          const c = (1 - fx) * fy;
          const d = fx * fy;
          red += a * lightness(p) + b * lightness(q) + c * lightness(r) + d * lightness(s);
          green += a * lightness(p + 1) + b * lightness(q + 1) + c * lightness(r + 1) + d * lightness(s + 1);
          blue += a * lightness(p + 2) + b * lightness(q + 2) + c * lightness(r + 2) + d * lightness(s + 2);
        }
      }
      tensor[at] = blue * weight * scale[0] + offset[0];
      tensor[at + planeStride] = green * weight * scale[1] + offset[1];
      tensor[at + 2 * planeStride] = red * weight * scale[2] + offset[2];
    }
  }
}

const clamp = (value: number, max: number): number => (value < 0 ? 0 : value > max ? max : value);
