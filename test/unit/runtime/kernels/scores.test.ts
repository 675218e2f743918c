/** Walks over a vocabulary, beside the same in plain JavaScript. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileKernels, startKernels } from "../../../../client/runtime/kernels/kernels.ts";
import { lookingBytes, ScoreRoom, Scores } from "../../../../client/runtime/kernels/scores.ts";

const score = fc.oneof({ weight: 9, arbitrary: fc.float({ min: -40, max: 40, noNaN: true }) }, { weight: 1, arbitrary: fc.constant(-Infinity) });
const logits = fc.oneof({ weight: 3, arbitrary: fc.array(score, { minLength: 1, maxLength: 70 }) }, fc.array(score, { minLength: 120, maxLength: 400, size: "max" })).map((values) => Float32Array.from(values)).filter((values) => values.some(Number.isFinite));

const BEFORE = 192;
const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
const kernels = await startKernels(memory, await compileKernels(true));

/** Copied to a room of their own; and where they lie in a memory that others share. */
const WAYS: Readonly<Record<string, (values: Float32Array) => Scores>> = {
  "that were copied": (values) => new ScoreRoom().load(values),
  "that lie where they were computed": (values) => {
    const room = Math.ceil(values.length / 8) * 8;
    new Float32Array(memory.buffer).fill(NaN);
    new Float32Array(memory.buffer, BEFORE, values.length).set(values);
    const scratch = BEFORE + 4 * room + 64;
    const scores = new Scores({ memory, walks: kernels, at: BEFORE, length: values.length, scratch });
    outside = () => [new Float32Array(memory.buffer, 0, BEFORE / 4), new Float32Array(memory.buffer, BEFORE + 4 * room, 16), new Float32Array(memory.buffer, scratch + lookingBytes(values.length))].every((part) => part.every(Number.isNaN));
    return scores;
  },
};
let outside = (): boolean => true;

describe.each(Object.entries(WAYS))("a vocabulary's scores %s", (_name, loaded) => {
  test("have the first of the largest, and those from any floor up in order", () => {
    fc.assert(
      fc.property(logits, fc.float({ min: -50, max: 50, noNaN: true }), (values, floor) => {
        const scores = loaded(values);
        expect(scores.likeliest()).toBe(values.indexOf(Math.max(...values)));
        expect([...scores.above(floor)]).toEqual([...values.keys()].filter((token) => (values[token] ?? NaN) >= floor));
        expect(scores.above(-Infinity)).toHaveLength(values.filter(Number.isFinite).length);
        expect([...scores.numbers]).toEqual([...values]);
        expect(outside()).toBe(true);
      }),
    );
  });

  test("have a sum of weights, and tokens that are drawn by them; none where a score is −∞", () => {
    fc.assert(
      fc.property(logits, fc.constantFrom(0.2, 1, 1.7), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (values, temperature, chance) => {
        const most = Math.max(...values);
        const scores = loaded(values);
        const expected = Array.from(values, (value) => Math.exp((value - most) / temperature));
        const total = expected.reduce((sum, weight) => sum + weight, 0);
        expect(scores.weigh(most, temperature) / total).toBeCloseTo(1, 5);
        const token = scores.draw(most, temperature, chance);
        const before = expected.slice(0, token).reduce((sum, weight) => sum + weight, 0);
        expect(values[token]).toBeGreaterThan(-Infinity);
        expect(before).toBeLessThanOrEqual(chance * total + 1e-5 * total);
        expect(before + (expected[token] ?? NaN)).toBeGreaterThanOrEqual(chance * total - 1e-5 * total);
        expect(outside()).toBe(true);
      }),
    );
  });

  test("may be changed by who says so", () => {
    const scores = loaded(Float32Array.of(1, 2, 3));
    expect(scores.likeliest()).toBe(2);
    scores.numbers[2] = -Infinity;
    scores.changed();
    expect(scores.likeliest()).toBe(1);
    expect([...scores.above(-Infinity)]).toEqual([0, 1]);
  });

  test("are all but nothing beside the likeliest at the least temperatures", () => {
    for (const temperature of [1e-3, 1e-30, Number.MIN_VALUE]) {
      const scores = loaded(Float32Array.of(1, 3, -Infinity, 2.5));
      expect(scores.weigh(3, temperature)).toBeCloseTo(1, 6);
      expect([0, 0.5, 0.999999].map((chance) => scores.draw(3, temperature, chance))).toEqual([1, 1, 1]);
    }
  });

  test("are refused where one is no number, and where the largest is infinite or all are −∞ there is no likeliest", () => {
    for (const values of [[1, 2, 3, 4, 5, 6, 7, 8, NaN], [-Infinity], [1, Infinity, 2]]) expect(() => loaded(Float32Array.from(values)).likeliest()).toThrow("no numbers");
  });
});

describe("a room for copies", () => {
  test("refuses at once what is no number, also where nobody asks for the likeliest", () => {
    expect(() => new ScoreRoom().load(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, NaN))).toThrow("no numbers");
  });

  test("takes others of another length", () => {
    const room = new ScoreRoom();
    room.load(Float32Array.of(1, 2, 3));
    const scores = room.load(Float32Array.from({ length: 20 }, (_, at) => -at));
    expect([...scores.above(-3)]).toEqual([0, 1, 2, 3]);
    expect(scores.logSumExp()).toBeCloseTo(Math.log(1 / (1 - Math.exp(-1))), 5);
  });

  test("is one memory, whatever is loaded by turns", () => {
    const room = new ScoreRoom();
    const { buffer } = room.load(Float32Array.from({ length: 1000 }, (_, at) => at)).numbers;
    for (const length of [40, 1000, 1, 997]) {
      const scores = room.load(Float32Array.from({ length }, (_, at) => -at));
      expect(scores.numbers).toHaveLength(length);
      expect(scores.numbers.buffer).toBe(buffer);
      expect(scores.likeliest()).toBe(0);
      expect(scores.above(-Infinity)).toHaveLength(length);
      expect(scores.weigh(0, 1000)).toBeCloseTo(Array.from({ length }, (_, at) => Math.exp(-at / 1000)).reduce((sum, weight) => sum + weight, 0), 2);
    }
  });
});
