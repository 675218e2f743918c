import { describe, expect, test } from "vitest";
import { findTextBoxes, meanInside } from "../../../client/runtime/tasks/ocr/db.ts";
import { corners, type RotatedRect } from "../../../client/runtime/tasks/ocr/geometry.ts";

const WIDTH = 200;
const HEIGHT = 120;

/** A map that is `value` in the pixels whose centre the rectangle holds. */
function paint(rects: readonly { rect: RotatedRect; value: number }[]): Float32Array {
  const map = new Float32Array(WIDTH * HEIGHT);
  for (const { rect, value } of rects) {
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        const dx = x + 0.5 - rect.cx;
        const dy = y + 0.5 - rect.cy;
        const u = dx * Math.cos(rect.angle) + dy * Math.sin(rect.angle);
        const v = dy * Math.cos(rect.angle) - dx * Math.sin(rect.angle);
        if (Math.abs(u) <= rect.width / 2 && Math.abs(v) <= rect.height / 2) map[y * WIDTH + x] = value;
      }
    }
  }
  return map;
}

const find = (map: Float32Array) => findTextBoxes(map, WIDTH, HEIGHT);

describe("boxes from a probability map", () => {
  test("an upright core of 100 × 10 grows by 6.8 pixels to each side", () => {
    const [box, ...others] = find(paint([{ rect: { cx: 90, cy: 50, width: 100, height: 10, angle: 0 }, value: 0.9 }]));
    expect(others).toEqual([]);
    expect(box?.score).toBeCloseTo(0.9, 5);
    expect(box?.rect).toMatchObject({ cx: 90, cy: 50 });
    expect(box?.rect.width).toBeCloseTo(100 + (2 * 1500) / 220, 5);
    expect(box?.rect.height).toBeCloseTo(10 + (2 * 1500) / 220, 5);
  });

  test("a skewed core keeps its angle", () => {
    const rect = { cx: 100, cy: 60, width: 120, height: 14, angle: 0.2 };
    const [box] = find(paint([{ rect, value: 0.95 }]));
    expect(box?.rect.angle).toBeCloseTo(0.2, 1);
    expect(box?.rect.cx).toBeCloseTo(100, 0);
    expect(box?.rect.cy).toBeCloseTo(60, 0);
  });

  test("two cores apart are two boxes", () => {
    const boxes = find(
      paint([
        { rect: { cx: 50, cy: 30, width: 60, height: 10, angle: 0 }, value: 0.9 },
        { rect: { cx: 150, cy: 30, width: 60, height: 10, angle: 0 }, value: 0.9 },
      ]),
    );
    expect(boxes).toHaveLength(2);
  });

  test.each([
    ["nothing", []],
    ["a faint core", [{ rect: { cx: 90, cy: 50, width: 100, height: 10, angle: 0 }, value: 0.5 }]],
    ["a speck", [{ rect: { cx: 90, cy: 50, width: 40, height: 2, angle: 0 }, value: 1 }]],
  ])("%s is no text", (_, rects) => {
    expect(find(paint(rects))).toEqual([]);
  });

  test("a map of NaN is no text", () => {
    expect(find(new Float32Array(WIDTH * HEIGHT).fill(Number.NaN))).toEqual([]);
  });

  test("a map that is text all over is one box around it", () => {
    const [box] = find(new Float32Array(WIDTH * HEIGHT).fill(1));
    expect(box?.rect).toMatchObject({ cx: WIDTH / 2, cy: HEIGHT / 2 });
    expect(corners(box?.rect ?? { cx: 0, cy: 0, width: 0, height: 0, angle: 0 })[0].x).toBeLessThan(0);
  });

  test("noise of many regions is bounded", () => {
    const map = new Float32Array(1000 * 1000);
    for (let y = 0; y < 1000; y += 8) for (let x = 0; x < 1000; x++) if (x % 8 < 4) for (let dy = 0; dy < 4; dy++) map[(y + dy) * 1000 + x] = 1;
    expect(findTextBoxes(map, 1000, 1000).length).toBeLessThanOrEqual(1000);
  });
});

test("the mean inside a rectangle counts pixels whose centre it holds", () => {
  const map = Float32Array.from([1, 1, 0, 0]);
  expect(meanInside(map, 4, 1, { cx: 1.5, cy: 0.5, width: 3, height: 1, angle: 0 })).toBeCloseTo(2 / 3, 6);
  expect(meanInside(map, 4, 1, { cx: -50, cy: -50, width: 3, height: 1, angle: 0 })).toBe(0);
});
