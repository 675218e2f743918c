/** Walks over a vocabulary, beside the same in plain JavaScript. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Scores } from "../../../../client/runtime/kernels/scores.ts";

const logits = fc.array(fc.oneof({ weight: 9, arbitrary: fc.float({ min: -40, max: 40, noNaN: true }) }, { weight: 1, arbitrary: fc.constant(-Infinity) }), { minLength: 1, maxLength: 70 }).map((values) => Float32Array.from(values)).filter((values) => values.some(Number.isFinite));

function loaded(values: Float32Array): Scores {
  const scores = new Scores();
  scores.load(values);
  return scores;
}

describe("a vocabulary's scores", () => {
  test("have the first of the largest, and those from any floor up in order", () => {
    fc.assert(
      fc.property(logits, fc.float({ min: -50, max: 50, noNaN: true }), (values, floor) => {
        const scores = loaded(values);
        expect(scores.likeliest()).toBe(values.indexOf(Math.max(...values)));
        expect([...scores.above(floor)]).toEqual([...values.keys()].filter((token) => (values[token] ?? NaN) >= floor));
        expect(scores.above(-Infinity)).toHaveLength(values.filter(Number.isFinite).length);
      }),
    );
  });

  test("have weights and a sum, and none where a score is −∞", () => {
    fc.assert(
      fc.property(logits, fc.constantFrom(0.2, 1, 1.7), (values, temperature) => {
        const most = Math.max(...values);
        const { weights, total } = loaded(values).weigh(most, temperature);
        const expected = Array.from(values, (value) => Math.exp((value - most) / temperature));
        expect(total).toBeCloseTo(expected.reduce((sum, weight) => sum + weight, 0), 4);
        expected.forEach((weight, token) => expect(weights[token]).toBeCloseTo(weight, 5));
        expect([...weights].every((weight, token) => weight > 0 === Number.isFinite(values[token]))).toBe(true);
      }),
    );
  });

  test("may be changed, and loaded anew with another length", () => {
    const scores = loaded(Float32Array.of(1, 2, 3));
    scores.numbers[2] = -Infinity;
    expect(scores.likeliest()).toBe(1);
    scores.load(Float32Array.from({ length: 20 }, (_, at) => -at));
    expect([...scores.above(-3)]).toEqual([0, 1, 2, 3]);
    expect(scores.logSumExp()).toBeCloseTo(Math.log(1 / (1 - Math.exp(-1))), 5);
  });

  test("stay in one memory, whatever is loaded by turns", () => {
    const scores = new Scores();
    scores.load(Float32Array.from({ length: 1000 }, (_, at) => at));
    const { buffer } = scores.numbers;
    for (const length of [40, 1000, 1, 997]) {
      scores.load(Float32Array.from({ length }, (_, at) => -at));
      expect(scores.numbers).toHaveLength(length);
      expect(scores.numbers.buffer).toBe(buffer);
      expect(scores.likeliest()).toBe(0);
      expect(scores.above(-Infinity)).toHaveLength(length);
      expect(scores.weigh(0, 1000).total).toBeCloseTo(Array.from({ length }, (_, at) => Math.exp(-at / 1000)).reduce((sum, weight) => sum + weight, 0), 2);
    }
  });

  test("are all but nothing beside the likeliest at the least temperatures", () => {
    for (const temperature of [1e-3, 1e-30, Number.MIN_VALUE]) {
      const { weights, total } = loaded(Float32Array.of(1, 3, -Infinity, 2.5)).weigh(3, temperature);
      expect([total, ...weights].map((weight) => Number(weight.toFixed(6)))).toEqual([1, 0, 1, 0, 0]);
    }
  });

  test("are refused where one is no number, and where the largest is infinite or all are −∞ there is no likeliest", () => {
    expect(() => loaded(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, NaN))).toThrow("no numbers");
    expect(() => loaded(Float32Array.of(-Infinity)).likeliest()).toThrow("no numbers");
    expect(() => loaded(Float32Array.of(1, Infinity, 2)).likeliest()).toThrow("no numbers");
  });
});
