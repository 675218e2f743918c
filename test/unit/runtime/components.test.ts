import * as fc from "fast-check";
import { expect, test } from "vitest";
import { findRegions } from "../../../client/runtime/tasks/ocr/components.ts";

/** Regions as sets of pixel indices, by flood fill. */
function flood(map: Float32Array, width: number, height: number, threshold: number): string[] {
  const seen = new Set<number>();
  const regions: string[] = [];
  map.forEach((value, start) => {
    if (!(value > threshold) || seen.has(start)) return;
    const region: number[] = [];
    const open = [start];
    seen.add(start);
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      region.push(at);
      const [x, y] = [at % width, Math.floor(at / width)];
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (seen.has(next) || !((map[next] ?? 0) > threshold)) continue;
          seen.add(next);
          open.push(next);
        }
      }
    }
    regions.push(region.sort((a, b) => a - b).join());
  });
  return regions;
}

const pixels = (runs: readonly { y: number; from: number; to: number }[], width: number): string =>
  runs.flatMap(({ y, from, to }) => Array.from({ length: to - from }, (_, index) => y * width + from + index)).sort((a, b) => a - b).join();

test("regions are those of a flood fill over all eight neighbours", () => {
  const maps = fc.integer({ min: 1, max: 24 }).chain((width) =>
    fc.integer({ min: 1, max: 24 }).chain((height) =>
      fc.array(fc.constantFrom(0, 0, 0.3, 0.31, 1, Number.NaN), { minLength: width * height, maxLength: width * height }).map((values) => ({ width, height, map: Float32Array.from(values) })),
    ),
  );
  fc.assert(
    fc.property(maps, ({ map, width, height }) => {
      const regions = findRegions(map, width, height, 0.305).map((runs) => pixels(runs, width));
      expect(regions.sort()).toEqual(flood(map, width, height, 0.305).sort());
    }),
    { numRuns: 300 },
  );
});

test("a spiral is one region", () => {
  const rows = ["#######", "......#", "#####.#", "#...#.#", "#.###.#", "#.....#", "#######"];
  const map = Float32Array.from(rows.join("").split(""), (c) => (c === "#" ? 1 : 0));
  expect(findRegions(map, 7, 7, 0.5)).toHaveLength(1);
});
