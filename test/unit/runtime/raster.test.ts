import { describe, expect, test } from "vitest";
import { prepareDetection } from "../../../client/runtime/tasks/ocr/detect.ts";
import { drawRect, type Normalization, type Raster, type Turn } from "../../../client/runtime/tasks/ocr/raster.ts";
import type { RotatedRect } from "../../../client/runtime/tasks/ocr/geometry.ts";

const PLAIN: Normalization = { scale: [1, 1, 1], offset: [0, 0, 0] };

/** A grey picture; B = value, G = value + 100, R = value + 200. */
function picture(rows: readonly (readonly number[])[]): Raster {
  const width = rows[0]?.length ?? 0;
  return { width, height: rows.length, data: Uint8ClampedArray.from(rows.flatMap((row) => row.flatMap((value) => [value + 200, value + 100, value, 255]))) };
}

/** The blue plane of `rect`, drawn at `width` × `height`. */
function drawn(source: Raster, rect: RotatedRect, width: number, height: number, turn: Turn = 0): number[][] {
  const plane = width * height;
  const tensor = new Float32Array(3 * plane);
  drawRect(source, rect, turn, { tensor, offset: 0, rowStride: width, planeStride: plane, width, height }, PLAIN);
  return Array.from({ length: height }, (_, row) => Array.from(tensor.subarray(row * width, (row + 1) * width), (value) => Math.round(value * 1000) / 1000));
}

const SIX = picture([
  [1, 2, 3],
  [4, 5, 6],
]);
const WHOLE: RotatedRect = { cx: 1.5, cy: 1, width: 3, height: 2, angle: 0 };

describe("drawing a rectangle of a picture", () => {
  test("at its own size copies it", () => {
    expect(drawn(SIX, WHOLE, 3, 2)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  test.each<[Turn, number[][]]>([
    [1, [[4, 1], [5, 2], [6, 3]]],
    [2, [[6, 5, 4], [3, 2, 1]]],
    [3, [[3, 6], [2, 5], [1, 4]]],
  ])("%i quarter turns clockwise", (turn, expected) => {
    expect(drawn(SIX, WHOLE, expected[0]?.length ?? 0, expected.length, turn)).toEqual(expected);
  });

  test("outside of the picture lies its edge", () => {
    expect(drawn(SIX, { cx: 1.5, cy: 1, width: 7, height: 2, angle: 0 }, 7, 2)).toEqual([
      [1, 1, 1, 2, 3, 3, 3],
      [4, 4, 4, 5, 6, 6, 6],
    ]);
  });

  test("at half the size each pixel is the mean of four", () => {
    const checks = picture([
      [0, 20, 8, 8],
      [20, 0, 8, 8],
    ]);
    expect(drawn(checks, { cx: 2, cy: 1, width: 4, height: 2, angle: 0 }, 2, 1)).toEqual([[10, 8]]);
  });

  test("the planes are blue, green, red", () => {
    const tensor = new Float32Array(3);
    drawRect(picture([[7]]), { cx: 0.5, cy: 0.5, width: 1, height: 1, angle: 0 }, 0, { tensor, offset: 0, rowStride: 1, planeStride: 1, width: 1, height: 1 }, PLAIN);
    expect([...tensor]).toEqual([7, 107, 207]);
  });
});

describe("the detection tensor", () => {
  test("has sides that are multiples of 32, the picture's edge beyond the picture, and ImageNet's scale", () => {
    const { dims, tensor } = prepareDetection(picture([[55]]), { width: 1, height: 1 });
    expect(dims).toEqual([1, 3, 32, 32]);
    expect(new Set(tensor.slice(0, 1024)).size).toBe(1);
    expect(tensor[0]).toBeCloseTo((55 / 255 - 0.485) / 0.229, 5);
    expect(tensor[2048]).toBeCloseTo((255 / 255 - 0.406) / 0.225, 5);
  });
});
