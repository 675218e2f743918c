/** Pieces of code that several kernels have. Pure. */
import { f32, f32x4, get, i32, relaxed, type Code, type Local } from "./assembler.ts";

/**
 * What a build may use. `plain`: fixed-width SIMD alone; `fused`: relaxed SIMD's a · b + c too; the others: its dot
 * product too, whose second operand is taken whole, as an unsigned or as a signed byte. `simd.ts` finds out which.
 */
export type Simd = "plain" | "fused" | "unsigned" | "signed";

export const hasDots = (simd: Simd): boolean => simd === "unsigned" || simd === "signed";

export const bytes = (count: Local, shift: number): Code => i32.shl(get(count), i32.value(shift));
export const plus = (local: Local, by: Code): Code => i32.add(get(local), by);
export const times = (local: Local, by: number): Code => i32.mul(get(local), i32.value(by));
export const splat = (value: number): Code => f32x4.splat(f32.value(value));
export const horizontal = (sum: Local): Code => f32.add(f32.add(f32x4.lane(get(sum), 0), f32x4.lane(get(sum), 1)), f32.add(f32x4.lane(get(sum), 2), f32x4.lane(get(sum), 3)));
export const highest = (most: Local): Code => f32.max(f32.max(f32x4.lane(get(most), 0), f32x4.lane(get(most), 1)), f32.max(f32x4.lane(get(most), 2), f32x4.lane(get(most), 3)));

/** a · b + c */
export const madd = (simd: Simd): ((a: Code, b: Code, c: Code) => Code) => (simd === "plain" ? (a, b, c) => f32x4.add(f32x4.mul(a, b), c) : relaxed.madd);
