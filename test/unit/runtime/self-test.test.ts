import { describe, expect, test } from "vitest";
import { disagreement, isFinite, strokes } from "../../../client/runtime/backends/self-test.ts";

const answer = (values: readonly number[], dims: readonly number[] = [values.length]) => ({ tensor: Float32Array.from(values), dims });

describe("two backends' answers", () => {
  test("agree within rounding", () => {
    expect(disagreement(answer([0.1, 0.9]), answer([0.1004, 0.8996]))).toBeNull();
  });

  test.each([
    ["a wrong value", answer([0.1, 0.7]), "off by 0.200"],
    ["no number", answer([0.1, Number.NaN]), "no numbers"],
    ["an infinity", answer([0.1, Infinity]), "no numbers"],
    ["another shape", answer([0.1, 0.9], [2, 1]), "the shape 2 × 1"],
    ["too few values", answer([0.1]), "the shape 1"],
  ])("disagree by %s", (_, actual, why) => {
    expect(disagreement(actual, answer([0.1, 0.9]))).toContain(why);
  });
});

test("the trial picture has dark and light, the same every time, another in each place of a batch", () => {
  const { tensor } = strokes([2, 3, 48, 96]);
  expect(new Set(tensor).size).toBe(2);
  expect(strokes([2, 3, 48, 96]).tensor).toEqual(tensor);
  expect(tensor.slice(0, tensor.length / 2)).not.toEqual(tensor.slice(tensor.length / 2));
});

test("finite means every value", () => {
  expect(isFinite(answer([1, 2, 3]))).toBe(true);
  expect(isFinite(answer([1, Number.NaN, 3]))).toBe(false);
});
