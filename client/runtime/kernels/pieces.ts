/** Pieces of code that several kernels have. Pure. */
import { choose, f32, f32x4, get, i16x8, i32, i32x4, relaxed, set, until, v128, type Code, type Local, type ValueType } from "./assembler.ts";

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

/** Added to a float far below it, the sum is rounded to whole numbers; its bits are those of this and the number. */
export const WHOLE = 3 * 2 ** 22;

/** a · b + c */
export const madd = (simd: Simd): ((a: Code, b: Code, c: Code) => Code) => (simd === "plain" ? (a, b, c) => f32x4.add(f32x4.mul(a, b), c) : relaxed.madd);

export const words = (...lanes: readonly number[]): number[] => lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte));

/** Four vectors' numbers of 32 bits: the first of each, the second of each, … */
export function turned(rows: readonly Local[], scratch: readonly Local[]): { steps: Code[]; values: Code[] } {
  const [a, b, c, d] = rows.map(get);
  const [first, second, third, fourth] = scratch;
  if (!a || !b || !c || !d || !first || !second || !third || !fourth) throw new Error("four vectors are turned");
  return {
    steps: [
      set(first, v128.shuffle(a, b, words(0, 4, 1, 5))),
      set(second, v128.shuffle(a, b, words(2, 6, 3, 7))),
      set(third, v128.shuffle(c, d, words(0, 4, 1, 5))),
      set(fourth, v128.shuffle(c, d, words(2, 6, 3, 7))),
    ],
    values: [[first, third], [second, fourth]].flatMap(([low, high]) => (low && high ? [v128.shuffle(get(low), get(high), words(0, 1, 4, 5)), v128.shuffle(get(low), get(high), words(2, 3, 6, 7))] : [])),
  };
}

/** Vectors that stay the same: made once, before the loops; V8 would make them anew where they stand. */
export interface Constants {
  readonly float: (value: number) => Code;
  readonly int: (value: number) => Code;
  readonly short: (value: number) => Code;
  /** What sets those asked for so far. */
  readonly steps: () => readonly Code[];
}

export function constants(local: (type: ValueType) => Local): Constants {
  const known = new Map<string, { local: Local; value: Code }>();
  const held = (value: Code): Code => {
    const name = value.join();
    const constant = known.get(name) ?? { local: local("v128"), value };
    known.set(name, constant);
    return get(constant.local);
  };
  return {
    float: (value) => held(splat(value)),
    int: (value) => held(i32x4.splat(i32.value(value))),
    short: (value) => held(i16x8.splat(i32.value(value))),
    steps: () => [...known.values()].map((constant) => set(constant.local, constant.value)),
  };
}

/** `body` where there is anything between `at` and `end`, as often as `until` says. */
export const whileLess = (at: Local, end: Code, body: readonly Code[]): Code => choose(i32.lessUnsigned(get(at), end), [until(at, end, body)], []);
