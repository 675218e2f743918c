/**
 * Walks over the scores of a whole vocabulary: what `scores.ts` is made of.
 *
 * - Scores lie in blocks of 64; the last may be shorter. Of each block a vector stands in a table: a lane has what is
 *   of every fourth. So what is looked for afterwards is looked for in few places.
 * - Counts are in steps of 8. What is no number, and −∞, is never found, and weighs as good as nothing.
 * - Powers are taken without relaxed SIMD, so that they are the same on each device.
 */
import { choose, f32x4, func, get, i32, i32x4, move, set, until, v128, type Code, type Local } from "./assembler.ts";
import { powerOfTwo } from "./exponential.ts";
import { bytes, constants, horizontal, plus, splat } from "./pieces.ts";

/** Scores of a block. */
export const SCORES = 64;
/** What a walk takes at a time. */
export const STEP = 8;
export const VECTOR = 16;
export const LANES = 4;
const HALVES = [0, 1];

export interface ScoreWalks {
  /** The largest of each block to the table; whether there is anything that is no number. */
  readonly survey: (x: number, table: number, count: number) => number;
  /** The sum of 2^((x − most) · by), none less than 2^−126; and of each block to the table. */
  readonly weigh: (x: number, table: number, count: number, most: number, by: number) => number;
  /** Where those from `floor` up stand, in order; and how many they are. What is behind the last of them may be written to. `table`: of `survey`. */
  readonly above: (x: number, table: number, to: number, count: number, floor: number) => number;
}

/** Steps of `body` for each block: `at` goes from its beginning to `blockEnd`. */
function forBlocks(at: Local, end: Local, blockEnd: Local, body: readonly Code[]): Code {
  return until(at, get(end), [
    set(blockEnd, plus(at, i32.value(4 * SCORES))),
    choose(i32.lessUnsigned(get(end), get(blockEnd)), [set(blockEnd, get(end))], []),
    ...body,
  ]);
}

const survey = func("survey", ["i32", "i32", "i32"], "i32", ([x, table, count], local) => {
  const [end, blockEnd, strange, own] = [local("i32"), local("i32"), local("v128"), local("v128")];
  const most = HALVES.map(() => local("v128"));
  const [first = own, second = own] = most;
  return [
    set(end, plus(x, bytes(count, 2))),
    set(strange, splat(0)),
    forBlocks(x, end, blockEnd, [
      ...most.map((each) => set(each, splat(-Infinity))),
      until(x, get(blockEnd), [
        ...most.flatMap((each, half) => [
          set(own, v128.load(get(x), VECTOR * half)),
          set(each, f32x4.max(get(each), get(own))),
          set(strange, v128.or(get(strange), f32x4.unequal(get(own), get(own)))),
        ]),
        move(x, i32.value(4 * STEP)),
      ]),
      v128.store(get(table), f32x4.max(get(first), get(second))),
      move(table, i32.value(VECTOR)),
    ]),
    v128.hasAny(get(strange)),
  ];
});

const weigh = func("weigh", ["i32", "i32", "i32", "f32", "f32"], "f32", ([x, table, count, most, by], local) => {
  const [end, blockEnd] = [local("i32"), local("i32")];
  const [sum, all, scaled, whole, largest, factor] = [local("v128"), local("v128"), local("v128"), local("v128"), local("v128"), local("v128")];
  const fixed = constants(local);
  const halves = HALVES.flatMap((half) => {
    const { steps, value } = powerOfTwo("plain", fixed, f32x4.mul(f32x4.sub(v128.load(get(x), VECTOR * half), get(largest)), get(factor)), scaled, whole);
    return [...steps, set(sum, f32x4.add(get(sum), value))];
  });
  const body = [
    set(end, plus(x, bytes(count, 2))),
    set(largest, f32x4.splat(get(most))),
    set(factor, f32x4.splat(get(by))),
    set(all, splat(0)),
    forBlocks(x, end, blockEnd, [
      set(sum, splat(0)),
      until(x, get(blockEnd), [...halves, move(x, i32.value(4 * STEP))]),
      v128.store(get(table), get(sum)),
      set(all, f32x4.add(get(all), get(sum))),
      move(table, i32.value(VECTOR)),
    ]),
    horizontal(all),
  ];
  return [...fixed.steps(), ...body];
});

const above = func("above", ["i32", "i32", "i32", "i32", "f32"], "i32", ([x, table, to, count, floor], local) => {
  const [at, end, blockEnd, start, hits, floors] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("v128")];
  const hitsOf = (numbers: Code): Code => i32x4.bits(f32x4.atLeast(numbers, get(floors)));
  const index = (lane: number): Code => i32.add(i32.shiftRight(i32.sub(get(at), get(x)), i32.value(2)), i32.value(lane));
  const keep = Array.from({ length: LANES }, (_, lane) => [i32.store(get(to), index(lane)), move(to, i32.shl(i32.and(i32.shiftRight(get(hits), i32.value(lane)), i32.value(1)), i32.value(2)))]).flat();
  return [
    set(at, get(x)),
    set(end, plus(x, bytes(count, 2))),
    set(start, get(to)),
    set(floors, f32x4.splat(get(floor))),
    forBlocks(at, end, blockEnd, [
      choose(hitsOf(v128.load(get(table))), [until(at, get(blockEnd), [set(hits, hitsOf(v128.load(get(at)))), choose(get(hits), keep, []), move(at, i32.value(VECTOR))])], [set(at, get(blockEnd))]),
      move(table, i32.value(VECTOR)),
    ]),
    i32.shiftRight(i32.sub(get(to), get(start)), i32.value(2)),
  ];
});

export const scoreWalks = [survey, weigh, above] as const;
