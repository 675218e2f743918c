import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ScoreRoom } from "../../../../client/runtime/kernels/scores.ts";
import { candidatesOf } from "../../../../client/runtime/decode/logits.ts";
import { planRewrite, type RewriteSizes } from "../../../../client/runtime/decode/plan-rewrite.ts";
import { memoryBudget } from "../../../../client/runtime/memory-budget.ts";

const MB = 1e6;
/** SmolLM2-135M in 4 bits. */
const small: RewriteSizes = { original: 102 * MB, blocks: 73 * MB, float32: 538 * MB, int8: 135 * MB, kv: 94 * MB };

describe("the form of a decoder's weights", () => {
  test.each([
    ["a desktop with memory", small, 3000, true, "float32"],
    ["less memory, and a self-test that allows rounding", small, 600, true, "int8"],
    ["less memory, and no self-test", small, 600, false, "as-is"],
    ["hardly any", small, 200, true, "as-is"],
    ["weights that are not in blocks", { ...small, blocks: 0 }, 3000, true, "as-is"],
    ["more than 32 bits can address", { ...small, float32: 4000 * MB }, 64_000, false, "as-is"],
  ] as const)("%s", (_, sizes, megabytes, mayRound, expected) => {
    expect(planRewrite(sizes, megabytes * MB, mayRound).form).toBe(expected);
  });

  test("a phone never gets full weights", () => {
    const phone = memoryBudget({ deviceMemory: 8, userAgent: "Mozilla/5.0 (Linux; Android 14; Pixel 8) Mobile" });
    expect(planRewrite(small, phone, true).form).not.toBe("float32");
    expect(planRewrite(small, memoryBudget({ deviceMemory: 8, userAgent: "Mozilla/5.0 (X11; Linux x86_64)" }), true).form).toBe("float32");
    expect(memoryBudget({ userAgent: "Mozilla/5.0 (Macintosh)" })).toBeGreaterThan(phone);
  });
});

test("logits of which one is no number, or the largest without bound, have no likeliest", () => {
  const room = new ScoreRoom();
  for (const value of [NaN, -Infinity]) expect(() => room.load(new Float32Array(4).fill(value)).likeliest()).toThrow("no numbers");
  for (const value of [NaN, Infinity]) for (const at of [0, 2, 3]) expect(() => room.load(Float32Array.of(1, 3, 2, 0).fill(value, at, at + 1)).likeliest()).toThrow("no numbers");
  expect(room.load(Float32Array.of(-Infinity, 3, 2, 3)).likeliest()).toBe(1);
});

test("candidates are the likeliest, in order, smaller ids first among equals", () => {
  const logits = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(logits, fc.integer({ min: 1, max: 10 }), (values, count) => {
      const found = candidatesOf(new ScoreRoom().load(Float32Array.from(values)), count);
      const expected = values.map((value, id) => ({ value, id })).sort((a, b) => b.value - a.value || a.id - b.id).slice(0, count);
      expect([...found.ids]).toEqual(expected.map(({ id }) => id));
      expect([...found.logits]).toEqual(expected.map(({ value }) => value));
      expect(found.ids[0]).toBe(values.indexOf(Math.max(...values)));
      expect(found.logSumExp).toBeCloseTo(Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0)), 4);
    }),
  );
});
