/** The likeliest of many logits: the largest first, then where it stands for the first time. */
import { f32x4, func, get, i32, i32x4, move, set, until, v128, type Code, type Func } from "./assembler.ts";
import { bytes, highest, plus, splat, words } from "./pieces.ts";

const VECTOR = 16;
const LANES = 4;
const HALVES = [0, 1] as const;
const EIGHT = VECTOR * HALVES.length;
/** Of the numbers that are finite; −∞ is never found. */
export const LEAST = -3.4028234663852886e38;
const NOWHERE = -1;

/** `likeliest(logits, count)`, of eight at least: the smallest index of the largest, or −1 where there is none, or one is no number. */
export const likeliest: Func = func("likeliest", ["i32", "i32"], "i32", ([logits, count], local) => {
  const [at, last, found, lanes] = [local("i32"), local("i32"), local("v128"), local("v128")];
  const most = HALVES.map(() => local("v128"));
  const [largest = found, second = found] = most;
  const others = local("v128");
  /** The last eight may be some that were there before. */
  const forEights = (work: readonly Code[]): Code[] => [set(at, get(logits)), until(at, get(last), [...work, move(at, i32.value(EIGHT))]), set(at, get(last)), ...work];
  const index = i32x4.splat(i32.shiftRight(i32.sub(get(at), get(logits)), i32.value(2)));
  const least = (...order: readonly number[]): Code => set(found, i32x4.minUnsigned(get(found), v128.shuffle(get(found), get(found), words(...order))));
  return [
    set(last, plus(logits, i32.sub(bytes(count, 2), i32.value(EIGHT)))),
    ...most.map((each) => set(each, splat(LEAST))),
    set(others, splat(0)),
    ...forEights(
      most.flatMap((each, half) => {
        const next = v128.load(get(at), VECTOR * half);
        return [set(each, f32x4.max(get(each), next)), set(others, v128.or(get(others), f32x4.unequal(next, next)))];
      }),
    ),
    set(largest, f32x4.max(get(largest), get(second))),
    set(largest, f32x4.splat(highest(largest))),
    set(found, i32x4.splat(i32.value(NOWHERE))),
    set(lanes, v128.ofInts(0, 1, 2, 3)),
    ...forEights(
      HALVES.map((half) => set(found, i32x4.minUnsigned(get(found), v128.or(f32x4.unequal(v128.load(get(at), VECTOR * half), get(largest)), i32x4.add(i32x4.add(index, get(lanes)), i32x4.splat(i32.value(LANES * half))))))),
    ),
    least(2, 3, 0, 1),
    least(1, 0, 3, 2),
    i32.or(i32x4.lane(get(found), 0), i32.sub(i32.value(0), v128.hasAny(get(others)))),
  ];
});
