/** e to a power, four at a time; right to the last but one of a float's bits. */
import { f32x4, get, i32, i32x4, set, type Code, type Local } from "./assembler.ts";
import { madd, splat, type Simd } from "./pieces.ts";

/** 2 to the power of a fraction from −½ to ½: Taylor's terms, least first. */
const POWERS = [1, 1, 2, 6, 24, 120, 720].map((factorial, power) => Math.LN2 ** power / factorial);

/** Of `x`, below 0 or not much above; what is less than the least float becomes almost 0. */
export function exponential(simd: Simd, x: Code, scaled: Local, whole: Local): { steps: Code[]; value: Code } {
  const fused = madd(simd);
  const polynomial = POWERS.reduceRight<Code>((sum, power, index) => (index === POWERS.length - 1 ? splat(power) : fused(sum, get(scaled), splat(power))), []);
  return {
    steps: [
      set(scaled, f32x4.max(f32x4.min(f32x4.mul(x, splat(Math.LOG2E)), splat(126)), splat(-126))),
      set(whole, f32x4.nearest(get(scaled))),
      set(scaled, f32x4.sub(get(scaled), get(whole))),
    ],
    value: f32x4.mul(polynomial, i32x4.shl(i32x4.add(i32x4.ofFloats(get(whole)), i32x4.splat(i32.value(127))), i32.value(23))),
  };
}

/** 1 / (1 + e^−x) */
export function sigmoidOf(simd: Simd, x: Code, scaled: Local, whole: Local): { steps: Code[]; value: Code } {
  const { steps, value } = exponential(simd, f32x4.neg(x), scaled, whole);
  return { steps, value: f32x4.div(splat(1), f32x4.add(splat(1), value)) };
}
