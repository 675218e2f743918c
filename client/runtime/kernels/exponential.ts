/** e to a power, four at a time; right to the last but one of a float's bits. */
import { f32x4, get, i32, i32x4, set, type Code, type Local } from "./assembler.ts";
import { madd, WHOLE, type Constants, type Simd } from "./pieces.ts";

/** 2 to the power of a fraction from −½ to ½: Taylor's terms, least first. */
const POWERS = [1, 1, 2, 6, 24, 120, 720].map((factorial, power) => Math.LN2 ** power / factorial);

/** Added to a number, it leaves the nearest whole one in the lowest bits, here with a float's bias: shifted, it is an exponent. */
const EXPONENT = WHOLE + 127;

interface Steps {
  readonly steps: readonly Code[];
  readonly value: Code;
}

/** Of `x`, below 0 or not much above; what is less than the least float becomes almost 0. */
export function exponential(simd: Simd, fixed: Constants, x: Code, scaled: Local, whole: Local): Steps {
  const fused = madd(simd);
  const polynomial = POWERS.reduceRight<Code>((sum, power, index) => (index === POWERS.length - 1 ? fixed.float(power) : fused(sum, get(scaled), fixed.float(power))), []);
  return {
    steps: [
      set(scaled, f32x4.max(f32x4.min(f32x4.mul(x, fixed.float(Math.LOG2E)), fixed.float(126)), fixed.float(-126))),
      set(whole, f32x4.add(get(scaled), fixed.float(EXPONENT))),
      set(scaled, f32x4.sub(get(scaled), f32x4.sub(get(whole), fixed.float(EXPONENT)))),
    ],
    value: f32x4.mul(polynomial, i32x4.shl(get(whole), i32.value(23))),
  };
}

/** 1 / (1 + e^−x) */
export function sigmoidOf(simd: Simd, fixed: Constants, x: Code, scaled: Local, whole: Local): Steps {
  const { steps, value } = exponential(simd, fixed, f32x4.neg(x), scaled, whole);
  return { steps, value: f32x4.div(fixed.float(1), f32x4.add(fixed.float(1), value)) };
}
