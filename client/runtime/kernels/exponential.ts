/** e to a power, four at a time; right to the last but one of a float's bits. */
import { f32x4, get, i32, i32x4, set, type Code, type Local } from "./assembler.ts";
import { madd, WHOLE, type Constants, type Simd } from "./pieces.ts";

/** 2 to the power of a fraction from −½ to ½, least first: the polynomial that is nowhere further off than this one is somewhere. */
const POWERS = [1, 0.6931469670647332, 0.24022119723848565, 0.055507132735425686, 0.009675541334211306, 0.0013276471979469665];

/** Added to a number, it leaves the nearest whole one in the lowest bits, here with a float's bias: shifted, it is an exponent. */
const EXPONENT = WHOLE + 127;

interface Steps {
  readonly steps: readonly Code[];
  readonly value: Code;
}

/** Of `x`, below 0 or not much above; what is less than the least float becomes almost 0. */
export const exponential = (simd: Simd, fixed: Constants, x: Code, scaled: Local, whole: Local): Steps => powerOfTwo(simd, fixed, f32x4.min(f32x4.mul(x, fixed.float(Math.LOG2E)), fixed.float(126)), scaled, whole);

/** 2 to the power of `x`, which is at most 126; what is below −126 is that. */
export function powerOfTwo(simd: Simd, fixed: Constants, x: Code, scaled: Local, whole: Local): Steps {
  const fused = madd(simd);
  const polynomial = POWERS.reduceRight<Code>((sum, power, index) => (index === POWERS.length - 1 ? fixed.float(power) : fused(sum, get(scaled), fixed.float(power))), []);
  return {
    steps: [
      set(scaled, f32x4.max(x, fixed.float(-126))),
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
