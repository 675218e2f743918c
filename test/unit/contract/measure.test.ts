import { describe, expect, test } from "vitest";
import { ceilingNanos, costNanos, imageTokens } from "../../../schema/contract/measure.ts";

describe("tokens of an image", () => {
  test.each([
    [1, 1, 1],
    [750, 1, 1],
    [751, 1, 2],
    [25, 30, 1],
    [1000, 750, 1000],
    [1920, 1080, 2765],
  ])("%d × %d are %d", (width, height, tokens) => expect(imageTokens(width, height)).toBe(tokens));

  test.each([[0, 5], [5, 0], [-1, 5], [1.5, 5], [Number.NaN, 5], [Number.POSITIVE_INFINITY, 5]])("%d × %d is no image", (width, height) => {
    expect(() => imageTokens(width, height)).toThrow(RangeError);
  });
});

describe("cost", () => {
  const prices = { input_nanos_per_token: 3, output_nanos_per_token: 7, call_nanos: 11 };

  test("is tokens in and out at their prices, and the calls", () => {
    expect(costNanos({ inputTokens: 10, outputTokens: 20, calls: 1 }, prices)).toBe(30 + 140 + 11);
    expect(costNanos({ inputTokens: 10, outputTokens: 20, calls: 0 }, prices)).toBe(170);
    expect(costNanos({ inputTokens: 1, outputTokens: 1, calls: 5 }, { input_nanos_per_token: 3, output_nanos_per_token: 7 })).toBe(10);
  });

  test("is exact up to the largest safe integer and null beyond it", () => {
    const dear = { input_nanos_per_token: 1_000_000_000, output_nanos_per_token: 0 };
    expect(costNanos({ inputTokens: 9_007_199, outputTokens: 0, calls: 0 }, dear)).toBe(9_007_199_000_000_000);
    expect(costNanos({ inputTokens: 9_007_200, outputTokens: 0, calls: 0 }, dear)).toBeNull();
    expect(costNanos({ inputTokens: Number.MAX_SAFE_INTEGER, outputTokens: 0, calls: 0 }, { input_nanos_per_token: 1, output_nanos_per_token: 0 })).toBe(Number.MAX_SAFE_INTEGER);
  });

  test.each([[3, 7], [7, 3], [5, 5]])("of a hold is never above its ceiling, however it is split (%d in, %d out)", (input, output) => {
    const split = { input_nanos_per_token: input, output_nanos_per_token: output, call_nanos: 11 };
    const ceiling = ceilingNanos(50, split) as number;
    const costs = Array.from({ length: 51 }, (_, inputTokens) => costNanos({ inputTokens, outputTokens: 50 - inputTokens, calls: 1 }, split) as number);
    expect(Math.max(...costs)).toBe(ceiling);
  });
});
