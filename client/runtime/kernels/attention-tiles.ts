/**
 * Attention of one head for eight queries at a time, causal as in `attention.ts`, over keys and values that are floats.
 *
 * - The queries' numbers are laid side by side: a key's number is read once for all of them, and what they have in
 *   common (the largest score, the sum of weights) needs no adding across. Keys after a query's own weigh nothing.
 * - Values are added in where they belong, some keys at a time: these stay in the nearest cache meanwhile.
 */
import { choose, f32, f32x4, func, get, i32, move, set, until, v128, type Code, type Func, type Local } from "./assembler.ts";
import { ATTEND_PARAMS, FLOAT, LANES, locals, NEVER, VECTOR } from "./attention.ts";
import { exponential } from "./exponential.ts";
import { bytes, constants, madd, plus, times, turned, whileLess, type Simd } from "./pieces.ts";

/** Queries that are done together. */
export const TILE = 8;
/** Bytes of one number of all of them. */
const ACROSS = FLOAT * TILE;
/** Keys whose values are added in at a time: 16 KB of them, with a head of 64. */
const NEAR = 64;
const HALVES = [0, 1] as const;

/** Bytes of scratch where up to `total` keys are attended to: queries side by side, then scores. */
export const tileBytes = (total: number, headSize: number): number => ACROSS * (headSize + total + 1);

/** `attendTiles(query, queryStride, keys, values, scores, to, toStride, rows, past, headSize, scale)`; `rows` in steps of `TILE`. */
export const attendTiles = (simd: Simd): Func =>
  func("attendTiles", ATTEND_PARAMS, null, ([query, queryStride, keys, values, scores, to, toStride, rows, past, headSize, scale], local) => {
    const [at, start, end, foursEnd, part, rowBytes, last] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const [near, nearEnd, value, target, targetEnd] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const rowsAt = locals(local, "i32", LANES);
    const [four, scratch, halves, most, all] = [LANES, LANES, 2, 2, 2].map((count) => locals(local, "v128", count)) as [Local[], Local[], Local[], Local[], Local[]];
    const sums = Array.from({ length: LANES }, () => locals(local, "v128", 2));
    const [own, scaled, whole, scales] = [local("v128"), local("v128"), local("v128"), local("v128")];
    const fixed = constants(local);
    const fused = madd(simd);

    const turn = turned(four, scratch);
    const beside = HALVES.flatMap((half) => [
      ...rowsAt.map((row, index) => set(row, plus(query, times(queryStride, LANES * half + index)))),
      set(part, plus(scores, i32.value(VECTOR * half))),
      until(part, get(start), [
        ...four.map((each, index) => set(each, f32x4.mul(get(scales), v128.load(get(rowsAt[index] ?? part))))),
        ...turn.steps,
        ...turn.values.map((numbers, index) => v128.store(get(part), numbers, ACROSS * index)),
        ...rowsAt.map((row) => move(row, i32.value(VECTOR))),
        move(part, i32.value(ACROSS * LANES)),
      ]),
    ]);
    /** Scores of all queries with so many keys. */
    const dots = (count: number): Code[] => {
      const [keysAt, mine] = [rowsAt.slice(0, count), sums.slice(0, count)];
      return [
        ...mine.flat().map((sum) => set(sum, fixed.float(0))),
        set(part, get(scores)),
        until(part, get(start), [
          ...Array.from({ length: LANES }, (_, number) => [
            ...halves.map((each, half) => set(each, v128.load(get(part), ACROSS * number + VECTOR * half))),
            ...keysAt.flatMap((key, index) => [
              set(own, v128.load32Splat(get(key), FLOAT * number)),
              ...halves.flatMap((each, half) => (mine[index] ?? []).slice(half, half + 1).map((sum) => set(sum, fused(get(own), get(each), get(sum))))),
            ]),
          ]).flat(),
          ...keysAt.map((key) => move(key, i32.value(VECTOR))),
          move(part, i32.value(ACROSS * LANES)),
        ]),
        ...mine.flat().map((sum, index) => v128.store(get(at), get(sum), VECTOR * index)),
        ...keysAt.map((key) => move(key, times(rowBytes, count - 1))),
        move(at, i32.value(ACROSS * count)),
      ];
    };
    /** Of the last keys, which the first queries don't see yet. */
    const unseen = Array.from({ length: TILE }, (_, key) => Array.from({ length: key }, (_row, row) => f32.store(get(near), f32.value(NEVER), ACROSS * key + FLOAT * row))).flat();
    const weigh = most.flatMap((each, half) => {
      const power = exponential(simd, fixed, f32x4.sub(v128.load(get(at), VECTOR * half), get(each)), scaled, whole);
      return [...power.steps, set(own, power.value), v128.store(get(at), get(own), VECTOR * half), ...all.slice(half, half + 1).map((sum) => set(sum, f32x4.add(get(sum), get(own))))];
    });
    /** The values that are near, on four of the queries, eight numbers of the head at a time. */
    const mix = HALVES.flatMap((half) => [
      ...rowsAt.map((row, index) => set(row, plus(to, times(toStride, LANES * half + index)))),
      set(value, get(target)),
      set(targetEnd, plus(target, get(rowBytes))),
      until(value, get(targetEnd), [
        ...rowsAt.flatMap((row, index) => (sums[index] ?? []).map((sum, which) => set(sum, v128.load(get(row), VECTOR * which)))),
        set(at, get(near)),
        set(part, get(value)),
        until(at, get(nearEnd), [
          ...halves.map((each, which) => set(each, v128.load(get(part), VECTOR * which))),
          ...sums.flatMap((pair, index) => [
            set(own, v128.load32Splat(get(at), VECTOR * half + FLOAT * index)),
            ...halves.flatMap((each, which) => pair.slice(which, which + 1).map((sum) => set(sum, fused(get(own), get(each), get(sum))))),
          ]),
          move(part, get(rowBytes)),
          move(at, i32.value(ACROSS)),
        ]),
        ...rowsAt.flatMap((row, index) => (sums[index] ?? []).map((sum, which) => v128.store(get(row), get(sum), VECTOR * which))),
        ...[value, ...rowsAt].map((each) => move(each, i32.value(2 * VECTOR))),
      ]),
    ]);
    const eachRow = (change: (row: number) => Code): Code[] =>
      Array.from({ length: TILE }, (_, row) => [
        set(at, plus(to, times(toStride, row))),
        set(targetEnd, plus(at, get(rowBytes))),
        until(at, get(targetEnd), [v128.store(get(at), change(row)), move(at, i32.value(VECTOR))]),
      ]).flat();
    const body = [
      set(rowBytes, bytes(headSize, 2)),
      set(last, plus(past, get(rows))),
      set(scales, f32x4.splat(get(scale))),
      set(start, plus(scores, times(rowBytes, TILE))),
      until(past, get(last), [
        move(past, i32.value(TILE)),
        ...beside,
        set(at, get(start)),
        set(end, plus(start, times(past, ACROSS))),
        set(foursEnd, plus(start, i32.mul(i32.and(get(past), i32.value(-LANES)), i32.value(ACROSS)))),
        ...rowsAt.map((row, index) => set(row, plus(keys, times(rowBytes, index)))),
        whileLess(at, get(foursEnd), dots(LANES)),
        whileLess(at, get(end), dots(1)),
        set(near, plus(end, i32.value(-ACROSS * TILE))),
        ...unseen,
        // Their weights.
        ...most.map((each) => set(each, fixed.float(NEVER))),
        set(at, get(start)),
        until(at, get(end), [...most.map((each, half) => set(each, f32x4.max(get(each), v128.load(get(at), VECTOR * half)))), move(at, i32.value(ACROSS))]),
        ...all.map((each) => set(each, fixed.float(0))),
        set(at, get(start)),
        until(at, get(end), [...weigh, move(at, i32.value(ACROSS))]),
        // The queries side by side are done with: what all is divided by takes their place.
        ...all.map((each, half) => v128.store(get(scores), f32x4.div(fixed.float(1), get(each)), VECTOR * half)),
        // Values.
        ...eachRow(() => fixed.float(0)),
        set(near, get(start)),
        set(target, get(values)),
        until(near, get(end), [
          set(nearEnd, plus(near, i32.value(ACROSS * NEAR))),
          choose(i32.lessUnsigned(get(end), get(nearEnd)), [set(nearEnd, get(end))], []),
          ...mix,
          move(target, times(rowBytes, NEAR)),
          set(near, get(nearEnd)),
        ]),
        ...eachRow((row) => f32x4.mul(v128.load(get(at)), v128.load32Splat(get(scores), FLOAT * row))),
        move(query, times(queryStride, TILE)),
        move(to, times(toStride, TILE)),
      ]),
    ];
    return [...fixed.steps(), ...body];
  });
