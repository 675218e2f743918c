import fc from "fast-check";
import { expect, test } from "vitest";
import { raised } from "../../../worker/ledger/price-floor.ts";

const p = (input: number, output: number, call?: number) => ({ input_nanos_per_token: input, output_nanos_per_token: output, ...(call !== undefined && { call_nanos: call }) });

test("each component is raised for itself, and none is lowered", () => {
  expect(raised(p(1, 9, 5), p(3, 3, 5))).toEqual(p(3, 9, 5));
  expect(raised(p(1, 1), p(0, 0, 7), p(2, 0))).toEqual(p(2, 1, 7));
});

test("where no floor reaches above them, prices are as they were stated", () => {
  for (const floors of [[], [null, null], [p(7, 8)], [p(1, 1, 0), null]]) expect(raised(p(7, 8), ...floors)).toEqual(p(7, 8));
});

test("never under a floor, never under what was stated, never above the highest of them", () => {
  const prices = fc.record({ input_nanos_per_token: fc.nat(1e9), output_nanos_per_token: fc.nat(1e9), call_nanos: fc.option(fc.nat(1e9), { nil: undefined }) });
  fc.assert(
    fc.property(prices, fc.array(prices, { maxLength: 3 }), (stated, floors) => {
      const got = raised(stated, ...floors);
      for (const of of ["input_nanos_per_token", "output_nanos_per_token", "call_nanos"] as const) {
        expect(got[of] ?? 0).toBe(Math.max(...[stated, ...floors].map((one) => one[of] ?? 0)));
      }
    }),
  );
});
