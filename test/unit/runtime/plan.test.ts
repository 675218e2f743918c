import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { MAX_SOURCE_PIXELS, planOcr, workingSize } from "../../../client/runtime/tasks/ocr/plan.ts";

const side = fc.integer({ min: 1, max: 100_000 });

describe("the size as processed", () => {
  test.each([
    { width: 1, height: 1, processed: { width: 1, height: 1 } },
    { width: 1000, height: 700, processed: { width: 1000, height: 700 } },
    { width: 4032, height: 3024, processed: { width: 1414, height: 1060 } },
    { width: 600, height: 6000, processed: { width: 387, height: 3872 } },
    { width: 40_000, height: 1, processed: { width: 8192, height: 1 } },
  ])("$width × $height is worked on as $processed.width × $processed.height", ({ width, height, processed }) => {
    expect(planOcr(width, height)).toEqual(processed);
  });

  test("is never larger than the picture, nor than its bounds, and never empty", () => {
    fc.assert(
      fc.property(side, side, (width, height) => {
        fc.pre(width * height <= MAX_SOURCE_PIXELS);
        const processed = planOcr(width, height);
        expect(processed.width).toBeGreaterThanOrEqual(1);
        expect(processed.height).toBeGreaterThanOrEqual(1);
        expect(processed.width).toBeLessThanOrEqual(Math.min(width, 8192));
        expect(processed.height).toBeLessThanOrEqual(Math.min(height, 8192));
        expect(processed.width * processed.height).toBeLessThanOrEqual(1_500_000);
        expect(workingSize(width, height).width).toBeGreaterThanOrEqual(processed.width);
      }),
    );
  });

  test("is the same for a picture on its side", () => {
    fc.assert(
      fc.property(side, side, (width, height) => {
        fc.pre(width * height <= MAX_SOURCE_PIXELS);
        const { width: a, height: b } = planOcr(width, height);
        expect(planOcr(height, width)).toEqual({ width: b, height: a });
      }),
    );
  });

  test("above 40 megapixels a picture is refused, at 40 it isn't", () => {
    expect(planOcr(8000, 5000)).toBeDefined();
    const refuse = () => planOcr(10_000, 5000);
    expect(refuse).toThrow(LeaseholdError);
    expect(refuse).toThrow(expect.objectContaining({ code: "image-too-large", message: expect.stringContaining("50 megapixels") }));
  });
});
