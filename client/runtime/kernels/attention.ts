/**
 * Attention of one head, over keys and values that lie in rows of its size: causal, each query over the keys up to its own.
 *
 * - One query at a time: four keys at once, then what they weigh on their values. `attention-tiles.ts` takes more queries.
 * - Values are added in where they belong, a few keys at a time, so that they are read in order.
 */
import { f32, f32x4, func, get, i32, move, set, until, v128, type Code, type Func, type Local, type ValueType } from "./assembler.ts";
import { exponential } from "./exponential.ts";
import { bytes, constants, highest, horizontal, madd, plus, times, whileLess, words, type Simd } from "./pieces.ts";

export const ATTEND_PARAMS = ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "f32"] as const;
/** Scores of keys that are not seen. */
export const NEVER = -1e30;
export const LANES = 4;
export const VECTOR = 16;
export const FLOAT = 4;

export const locals = (local: (type: ValueType) => Local, type: ValueType, count: number): Local[] => Array.from({ length: count }, () => local(type));

/** `attendOne(query, queryStride, keys, values, scores, to, toStride, rows, past, headSize, scale)` */
export const attendOne = (simd: Simd): Func =>
  func("attendOne", ATTEND_PARAMS, null, ([query, queryStride, keys, values, scores, to, toStride, rows, past, headSize, scale], local) => {
    const [at, end, part, partEnd, rowBytes, last, target, foursEnd] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const rowsAt = locals(local, "i32", LANES);
    const sums = locals(local, "v128", LANES);
    const weights = locals(local, "v128", LANES);
    const [most, all, scaled, whole, own, scales] = [local("v128"), local("v128"), local("v128"), local("v128"), local("v128"), local("v128")];
    const fixed = constants(local);
    const fused = madd(simd);
    const power = exponential(simd, fixed, f32x4.sub(v128.load(get(at)), get(most)), scaled, whole);
    const onwards = (count: number): Code[] => rowsAt.slice(0, count).map((row) => move(row, times(rowBytes, count - 1)));

    /** Products of the query with so many keys, each in a vector still to be added across. */
    const dots = (count: number): Code[] => [
      ...sums.slice(0, count).map((sum) => set(sum, fixed.float(0))),
      set(part, get(query)),
      until(part, get(partEnd), [
        set(own, v128.load(get(part))),
        ...sums.slice(0, count).map((sum, index) => set(sum, fused(get(own), v128.load(get(rowsAt[index] ?? part)), get(sum)))),
        ...[part, ...rowsAt.slice(0, count)].map((each) => move(each, i32.value(VECTOR))),
      ]),
      ...onwards(count),
    ];
    /** Values of so many keys, by their weights, onto what is there. */
    const mix = (count: number): Code[] => [
      ...weights.slice(0, count).map((weight, index) => set(weight, v128.load32Splat(get(at), FLOAT * index))),
      set(target, get(to)),
      until(target, get(partEnd), [
        v128.store(get(target), weights.slice(0, count).reduce<Code>((sum, weight, index) => fused(get(weight), v128.load(get(rowsAt[index] ?? part)), sum), v128.load(get(target)))),
        ...[target, ...rowsAt.slice(0, count)].map((each) => move(each, i32.value(VECTOR))),
      ]),
      ...onwards(count),
      move(at, i32.value(FLOAT * count)),
    ];
    const pair = ([a, b]: readonly Local[]): Code => (a && b ? f32x4.add(v128.shuffle(get(a), get(b), words(0, 4, 1, 5)), v128.shuffle(get(a), get(b), words(2, 6, 3, 7))) : []);
    const [first = most, second = all] = sums;
    const place = (start: Code): Code[] => rowsAt.map((row, index) => set(row, i32.add(start, times(rowBytes, index))));
    const body = [
      set(rowBytes, bytes(headSize, 2)),
      set(last, plus(past, get(rows))),
      set(scales, f32x4.splat(get(scale))),
      until(past, get(last), [
        move(past, i32.value(1)),
        set(end, plus(scores, bytes(past, 2))),
        set(foursEnd, plus(scores, i32.and(bytes(past, 2), i32.value(-VECTOR)))),
        // Scores.
        set(at, get(scores)),
        ...place(get(keys)),
        set(partEnd, plus(query, get(rowBytes))),
        whileLess(at, get(foursEnd), [
          ...dots(LANES),
          set(first, pair(sums.slice(0, 2))),
          set(second, pair(sums.slice(2))),
          v128.store(get(at), f32x4.mul(get(scales), f32x4.add(v128.shuffle(get(first), get(second), words(0, 1, 4, 5)), v128.shuffle(get(first), get(second), words(2, 3, 6, 7))))),
          move(at, i32.value(VECTOR)),
        ]),
        whileLess(at, get(end), [...dots(1), f32.store(get(at), f32.mul(get(scale), horizontal(first))), move(at, i32.value(FLOAT))]),
        v128.store(get(end), fixed.float(NEVER)), // four may be taken at a time
        // Their weights.
        set(at, get(scores)),
        set(most, fixed.float(NEVER)),
        until(at, get(end), [set(most, f32x4.max(get(most), v128.load(get(at)))), move(at, i32.value(VECTOR))]),
        set(most, f32x4.splat(highest(most))),
        set(at, get(scores)),
        set(all, fixed.float(0)),
        until(at, get(end), [...power.steps, set(own, power.value), v128.store(get(at), get(own)), set(all, f32x4.add(get(all), get(own))), move(at, i32.value(VECTOR))]),
        set(all, f32x4.splat(f32.div(f32.value(1), horizontal(all)))),
        // Values.
        set(target, get(to)),
        set(partEnd, plus(to, get(rowBytes))),
        until(target, get(partEnd), [v128.store(get(target), fixed.float(0)), move(target, i32.value(VECTOR))]),
        set(at, get(scores)),
        ...place(get(values)),
        whileLess(at, get(foursEnd), mix(LANES)),
        whileLess(at, get(end), mix(1)),
        set(target, get(to)),
        until(target, get(partEnd), [v128.store(get(target), f32x4.mul(get(all), v128.load(get(target)))), move(target, i32.value(VECTOR))]),
        move(query, get(queryStride)),
        move(to, get(toStride)),
      ]),
    ];
    return [...fixed.steps(), ...body];
  });
