/**
 * Attention of one head for eight queries at a time, causal as in `attention.ts`.
 *
 * - The queries' numbers are laid side by side: a key's number is read once for all of them, and what they have in
 *   common (the largest score, the sum of weights) needs no adding across. Keys after a query's own weigh nothing.
 * - Keys and values are widened to floats some at a time (`kept-rows.ts`): these stay in the nearest cache meanwhile.
 *   A key's scale waits where its scores are to be; a value's is a factor of its weights.
 */
import { choose, f32, f32x4, func, get, i32, move, set, until, v128, type Code, type Func, type Local } from "./assembler.ts";
import { ATTEND_PARAMS, FLOAT, LANES, locals, NEVER, ROUND, VECTOR, VECTORS } from "./attention.ts";
import { exponential } from "./exponential.ts";
import { kept, SCALE_BYTES } from "./kept-rows.ts";
import { bytes, constants, madd, plus, times, turned, whileLess, type Simd } from "./pieces.ts";

/** Queries that are done together. */
export const TILE = 8;
/** Bytes of one number of all of them. */
const ACROSS = FLOAT * TILE;
/** Keys or values at a time: 16 KB of floats, with a head of 64. */
const NEAR = 64;
const HALVES = [0, 1] as const;

/** Bytes of scratch, for each thread, where up to `total` keys are attended to: queries side by side, what is near, then scores. */
export const scoresBytes = (total: number, headSize: number): number => FLOAT * NEAR * headSize + ACROSS * (headSize + total + 1);

/** `attendTiles(query, queryStride, keys, values, scores, to, toStride, rows, past, headSize, scale)`; `rows` in steps of `TILE`. */
export const attendTiles = (simd: Simd): Func =>
  func("attendTiles", ATTEND_PARAMS, null, ([query, queryStride, keys, values, scores, to, toStride, rows, past, headSize, scale], local) => {
    const [at, start, end, foursEnd, part, rowBytes, last, read, widened] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const [near, nearEnd, value, room, targetEnd] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
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
      until(part, get(room), [
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
        until(part, get(room), [
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
        ...mine.flat().map((sum, index) => v128.store(get(at), f32x4.mul(get(sum), v128.load(get(at), VECTOR * index)), VECTOR * index)),
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
    /** Where the rows that are near end, of all from `near` on: these, from `read` on, as floats. `scaling`: what is done about the scale of each (`own`). */
    const widen = (scaling: readonly Code[]): Code[] => [
      set(nearEnd, plus(near, i32.value(ACROSS * NEAR))),
      choose(i32.lessUnsigned(get(end), get(nearEnd)), [set(nearEnd, get(end))], []),
      set(at, get(near)),
      set(value, get(room)),
      until(at, get(nearEnd), [
        set(widened, plus(value, get(rowBytes))),
        until(value, get(widened), [
          ...VECTORS.map((offset) => v128.store(get(value), kept(read, offset), offset)),
          move(read, i32.value(ROUND / 2)),
          move(value, i32.value(ROUND)),
        ]),
        set(own, v128.load32Splat(get(read))),
        ...scaling,
        move(read, i32.value(SCALE_BYTES)),
        move(at, i32.value(ACROSS)),
      ]),
    ];
    /** The values that are near, on four of the queries, eight numbers of the head at a time. */
    const mix = HALVES.flatMap((half) => [
      ...rowsAt.map((row, index) => set(row, plus(to, times(toStride, LANES * half + index)))),
      set(value, get(room)),
      set(targetEnd, plus(room, get(rowBytes))),
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
      set(room, plus(scores, times(rowBytes, TILE))),
      set(start, plus(room, times(rowBytes, NEAR))),
      until(past, get(last), [
        move(past, i32.value(TILE)),
        ...beside,
        set(end, plus(start, times(past, ACROSS))),
        set(near, get(start)),
        set(read, get(keys)),
        until(near, get(end), [
          ...widen(HALVES.map((half) => v128.store(get(at), get(own), VECTOR * half))),
          set(at, get(near)),
          set(foursEnd, plus(near, i32.and(i32.sub(get(nearEnd), get(near)), i32.value(-LANES * ACROSS)))),
          ...rowsAt.map((row, index) => set(row, plus(room, times(rowBytes, index)))),
          whileLess(at, get(foursEnd), dots(LANES)),
          whileLess(at, get(nearEnd), dots(1)),
          set(near, get(nearEnd)),
        ]),
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
        set(read, get(values)),
        until(near, get(end), [
          ...widen(HALVES.map((half) => v128.store(get(at), f32x4.mul(get(own), v128.load(get(at), VECTOR * half)), VECTOR * half))),
          ...mix,
          set(near, get(nearEnd)),
        ]),
        ...eachRow((row) => f32x4.mul(v128.load(get(at)), v128.load32Splat(get(scores), FLOAT * row))),
        move(query, times(queryStride, TILE)),
        move(to, times(toStride, TILE)),
      ]),
    ];
    return [...fixed.steps(), ...body];
  });
