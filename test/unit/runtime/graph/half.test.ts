import fc from "fast-check";
import { expect, it } from "vitest";
import { floatToHalf, halfToFloat } from "../../../../client/runtime/graph/half.ts";

it("every half comes back from its float", () => {
  for (let half = 0; half < 0x10000; half++) {
    const float = halfToFloat(half);
    if (!Number.isNaN(float)) expect(floatToHalf(float)).toBe(half);
  }
  expect(halfToFloat(floatToHalf(NaN))).toBeNaN();
});

it("a float becomes the nearest half", () => {
  fc.assert(
    fc.property(fc.float({ min: -65_000, max: 65_000, noNaN: true }), (float) => {
      const half = floatToHalf(float);
      const off = Math.abs(halfToFloat(half) - float);
      for (const other of [half - 1, half + 1]) if ((other & 0x7fff) <= 0x7bff && other >= 0) expect(off).toBeLessThanOrEqual(Math.abs(halfToFloat(other) - float));
    }),
  );
});
