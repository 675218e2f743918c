import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EMPTY_SKETCH, Sketch } from "../../../worker/metrics/sketch.ts";

const of = (values: readonly number[]) => {
  const sketch = new Sketch();
  for (const value of values) sketch.add(value);
  return sketch;
};
const durations = fc.array(fc.integer({ min: 0, max: 86_400_000 }), { minLength: 1, maxLength: 300 });
const exact = (values: readonly number[], q: number) => values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))] as number;

describe("a sketch", () => {
  test("gives quantiles within 1 % of the exact ones", () => {
    fc.assert(
      fc.property(durations, fc.constantFrom(0, 0.5, 0.95, 0.99, 1), (values, q) => {
        const truth = exact(values, q);
        expect(Math.abs((of(values).quantile(q) as number) - truth)).toBeLessThanOrEqual(truth * 0.01 + 1e-9);
      }),
    );
  });

  test("is the same stored and read again, and through JSON", () => {
    fc.assert(
      fc.property(durations, (values) => {
        const sketch = of(values);
        const again = Sketch.from(JSON.parse(JSON.stringify(sketch.toStored())));
        expect(again.toStored()).toEqual(sketch.toStored());
        expect([again.count, again.sum, again.quantile(0.95)]).toEqual([sketch.count, sketch.sum, sketch.quantile(0.95)]);
      }),
    );
  });

  test("merged with others is what one sketch of all values would be, in any order", () => {
    fc.assert(
      fc.property(fc.array(durations, { minLength: 1, maxLength: 6 }), (groups) => {
        const whole = of(groups.flat()).toStored();
        for (const order of [groups, groups.toReversed()]) {
          const sketch = new Sketch();
          for (const group of order) sketch.merge(of(group).toStored());
          expect(sketch.toStored()).toEqual(whole);
        }
      }),
    );
  });

  test("of nothing has no quantile, and adds nothing", () => {
    expect([new Sketch().quantile(0.5), new Sketch().count, new Sketch().toStored()]).toEqual([null, 0, EMPTY_SKETCH]);
    const sketch = of([5]);
    sketch.merge(EMPTY_SKETCH);
    expect(sketch.toStored()).toEqual(of([5]).toStored());
  });

  test("of a million values is small", () => {
    const sketch = new Sketch();
    for (let i = 0; i < 1_000_000; i++) sketch.add(20 + ((i * 7919) % 60_000));
    expect(JSON.stringify(sketch.toStored()).length).toBeLessThan(8_000);
    expect(sketch.count).toBe(1_000_000);
  });
});
