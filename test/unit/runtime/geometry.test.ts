import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { convexHull, corners, grow, minAreaRect, scaleRect, unclipDistance, type Point, type RotatedRect } from "../../../client/runtime/tasks/ocr/geometry.ts";

const length = fc.double({ min: 2, max: 500, noNaN: true });
const place = fc.double({ min: -1000, max: 1000, noNaN: true });
/** Clear of ±45°, where width and height trade places. */
const angle = fc.double({ min: -0.78, max: 0.78, noNaN: true });
const rects = fc.record({ cx: place, cy: place, width: length, height: length, angle });
/** Of a picture; products of the least numbers that there are would be 0. */
const spot = place.map((value) => Math.round(value * 1000) / 1000);
const points = fc.array(fc.record({ x: spot, y: spot }), { minLength: 3, maxLength: 40 });

function holds({ cx, cy, width, height, angle }: RotatedRect, { x, y }: Point): boolean {
  const u = (x - cx) * Math.cos(angle) + (y - cy) * Math.sin(angle);
  const v = (y - cy) * Math.cos(angle) - (x - cx) * Math.sin(angle);
  return Math.abs(u) <= width / 2 + 1e-6 && Math.abs(v) <= height / 2 + 1e-6;
}

describe("the smallest rectangle", () => {
  test("of a rectangle's corners is that rectangle", () => {
    fc.assert(
      fc.property(rects, (rect) => {
        const found = minAreaRect(convexHull(corners(rect)));
        expect(found.cx).toBeCloseTo(rect.cx, 5);
        expect(found.cy).toBeCloseTo(rect.cy, 5);
        expect(found.width * found.height).toBeCloseTo(rect.width * rect.height, 3);
        expect(Math.min(found.width, found.height)).toBeCloseTo(Math.min(rect.width, rect.height), 4);
      }),
    );
  });

  test("holds every point", () => {
    fc.assert(
      fc.property(points, (cloud) => {
        const rect = minAreaRect(convexHull(cloud));
        for (const point of cloud) expect(holds(rect, point)).toBe(true);
      }),
    );
  });

  test("is no larger than the upright one", () => {
    fc.assert(
      fc.property(points, (cloud) => {
        const xs = cloud.map(({ x }) => x);
        const ys = cloud.map(({ y }) => y);
        const upright = (Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys));
        const { width, height } = minAreaRect(convexHull(cloud));
        expect(width * height).toBeLessThanOrEqual(upright * (1 + 1e-9) + 1e-6);
      }),
    );
  });

  test("keeps its angle within 45° to either side", () => {
    fc.assert(
      fc.property(points, (cloud) => {
        const { angle } = minAreaRect(convexHull(cloud));
        expect(Math.abs(angle)).toBeLessThanOrEqual(Math.PI / 4 + 1e-9);
      }),
    );
  });

  test("of one point, and of points on a line, has no area and no NaN", () => {
    expect(minAreaRect([{ x: 3, y: 4 }])).toEqual({ cx: 3, cy: 4, width: 0, height: 0, angle: 0 });
    const line = minAreaRect(convexHull([0, 1, 2, 3].map((x) => ({ x, y: 0 }))));
    expect(line).toMatchObject({ width: 3, height: 0 });
  });
});

test("the hull of a square with points inside and on its edges is its four corners", () => {
  const square = [0, 1, 2].flatMap((x) => [0, 1, 2].map((y) => ({ x, y })));
  expect(convexHull(square)).toHaveLength(4);
});

test("corners go clockwise on the screen from the top left", () => {
  expect(corners({ cx: 5, cy: 5, width: 4, height: 2, angle: 0 })).toEqual([
    { x: 3, y: 4 },
    { x: 7, y: 4 },
    { x: 7, y: 6 },
    { x: 3, y: 6 },
  ]);
});

test("a core of 100 × 10 grows by area × ratio / perimeter", () => {
  const core = { cx: 0, cy: 0, width: 100, height: 10, angle: 0 };
  expect(unclipDistance(core, 1.5)).toBeCloseTo((1000 * 1.5) / 220, 10);
  expect(grow(core, 5)).toEqual({ cx: 0, cy: 0, width: 110, height: 20, angle: 0 });
});

test("scaling a rectangle scales its corners", () => {
  fc.assert(
    fc.property(rects, fc.double({ min: 0.1, max: 10, noNaN: true }), (rect, times) => {
      const scaled = corners(scaleRect(rect, times, times));
      corners(rect).forEach(({ x, y }, index) => {
        expect(scaled[index]?.x).toBeCloseTo(x * times, 3);
        expect(scaled[index]?.y).toBeCloseTo(y * times, 3);
      });
    }),
  );
});
