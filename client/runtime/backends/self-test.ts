/**
 * Trust in a backend, before it is used for real.
 *
 * - The same input goes through the backend and through the CPU kernels; the answers must agree.
 *   (Seen: batch prefill wrong on a software adapter, with no error. So a run that "works" proves nothing.)
 * - The input has strokes and gaps like text, so that the layers carry signal, and needs no font and no fixture.
 */
import type { SelfTest } from "../../../schema/contract/self-test.ts";
import type { FloatTensor } from "./engine.ts";

/** Kernels differ in the order of their sums; probabilities (0 to 1) then differ by far less than this. */
const TOLERANCE = 0.02;

/** `null` where the two agree, else what is wrong, in plain words. */
export function disagreement(actual: FloatTensor, expected: FloatTensor): string | null {
  if (actual.dims.join() !== expected.dims.join()) return `its result has the shape ${actual.dims.join(" × ")}, not ${expected.dims.join(" × ")}`;
  if (!isFinite(actual)) return "it gives results that are no numbers";
  let worst = 0;
  actual.tensor.forEach((value, index) => {
    worst = Math.max(worst, Math.abs(value - (expected.tensor[index] ?? Infinity)));
  });
  return worst <= TOLERANCE ? null : `its results are off by ${worst.toFixed(3)}`;
}

/** As `disagreement`, for numbers of any size: how far they point another way, or are of another length. */
export function unlike(actual: Float32Array, expected: Float32Array): string | null {
  if (actual.length !== expected.length) return `it gives ${actual.length} numbers, and the CPU ${expected.length}`;
  let [product, own, other] = [0, 0, 0];
  actual.forEach((value, index) => {
    const reference = expected[index] ?? 0;
    product += value * reference;
    own += value * value;
    other += reference * reference;
  });
  if (own === 0 && other === 0) return null;
  const cosine = product / Math.sqrt(own * other);
  const ratio = Math.sqrt(own / other);
  return cosine >= 0.99 && ratio > 0.9 && ratio < 1.1 ? null : `its results are not the CPU's (cosine ${cosine.toFixed(3)}, length ${ratio.toFixed(2)} times)`;
}

/** What is wrong with the embedding of a manifest's self-test; `null` where nothing is. */
export function embeddingFault(found: Float32Array, { first_dims: first, tolerance }: Extract<SelfTest, { kind: "embedding" }>): string | null {
  const at = first.findIndex((value, index) => !(Math.abs((found[index] ?? NaN) - value) <= tolerance));
  return at < 0 ? null : `the embedding of its self-test has ${found[at]} at place ${at + 1}, not ${first[at]}`;
}

export const isFinite = ({ tensor }: FloatTensor): boolean => tensor.every((value) => Number.isFinite(value));

/** Dark strokes of changing width and height on a light ground; values from −1 to 1. Each picture of a batch differs. */
export function strokes(dims: readonly [number, 3, number, number]): FloatTensor {
  const [count, planes, height, width] = dims;
  const tensor = new Float32Array(count * planes * height * width);
  for (let at = 0; at < tensor.length; at++) {
    const x = at % width;
    const y = Math.floor(at / width) % height;
    const picture = Math.floor(at / (width * height * planes));
    const inLine = y % 48 > 12 && y % 48 < 36;
    const inStroke = (x * 7 + Math.floor(y / 8) * 5 * (picture + 1) + Math.floor(x / 24) * 11) % 19 < 8 && x % 24 > 3;
    tensor[at] = inLine && inStroke ? -0.9 : 0.9;
  }
  return { tensor, dims };
}
