import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lineWidth, planBatches, prepareLines, type LineJob } from "../../../client/runtime/tasks/ocr/recognize.ts";

const side = fc.double({ min: 5, max: 3000, noNaN: true });
const jobs = fc.array(
  fc.record({
    box: fc.nat(),
    rect: fc.record({ cx: side, cy: side, width: side, height: side, angle: fc.constant(0) }),
    turn: fc.constantFrom<LineJob["turn"]>(0, 1, 2, 3),
  }),
  { maxLength: 60 },
);

describe("batches", () => {
  test("hold every job once, wide enough, and stay within their bounds unless one line alone is larger", () => {
    fc.assert(
      fc.property(jobs, (all) => {
        const batches = planBatches(all, { bucket: 16, columns: 1024 });
        expect(new Set(batches.flatMap((batch) => batch.jobs))).toEqual(new Set(all));
        expect(batches.flatMap((batch) => batch.jobs)).toHaveLength(all.length);
        for (const { jobs, width } of batches) {
          expect(width % 16).toBe(0);
          for (const job of jobs) expect(width - lineWidth(job)).toBeGreaterThanOrEqual(0);
          for (const job of jobs) expect(width - lineWidth(job)).toBeLessThan(16);
          if (jobs.length > 1) expect(jobs.length * width).toBeLessThanOrEqual(1024);
        }
      }),
    );
  });

  test("no line, no batch", () => {
    expect(planBatches([], { bucket: 16, columns: 1024 })).toEqual([]);
  });
});

describe("a line", () => {
  test("of 280 × 20 is drawn 48 high with its margins, so 480 wide", () => {
    expect(lineWidth({ box: 0, turn: 0, rect: { cx: 0, cy: 0, width: 280, height: 20, angle: 0 } })).toBe(480);
  });

  test("turned by a quarter is as wide as its box is high", () => {
    expect(lineWidth({ box: 0, turn: 3, rect: { cx: 0, cy: 0, width: 20, height: 280, angle: 0 } })).toBe(480);
  });

  test("leaves the rest of its row at mid-grey", () => {
    const raster = { width: 1, height: 1, data: Uint8Array.of(255, 255, 255, 255) };
    const job: LineJob = { box: 0, turn: 0, rect: { cx: 0, cy: 0, width: 28, height: 20, angle: 0 } };
    const { tensor, dims } = prepareLines(raster, { jobs: [job], width: 64 });
    expect(dims).toEqual([1, 3, 48, 64]);
    expect(tensor[47]).toBeCloseTo(1, 6);
    expect(tensor[48]).toBe(0);
  });
});
