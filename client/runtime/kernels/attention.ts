/**
 * Attention of one head, over keys and values as they are kept (`kept-rows.ts`): causal, each query over the keys up to its own.
 *
 * - One query at a time: a few keys at once, then what they weigh on their values. `attention-tiles.ts` takes more queries.
 * - What is done at once lies in as many places, each read in order: most of it comes from no near cache, and a processor
 *   that reads from several places waits less (see `products.ts`).
 */
import { f32, f32x4, func, get, i32, move, set, until, v128, type Code, type Func, type Local, type ValueType } from "./assembler.ts";
import { exponential } from "./exponential.ts";
import { kept, keptBytesOf, SCALE_BYTES, scaleOf } from "./kept-rows.ts";
import { bytes, constants, highest, horizontal, madd, plus, times, whileLess, words, type Simd } from "./pieces.ts";

export const ATTEND_PARAMS = ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "f32"] as const;
/** Scores of keys that are not seen. */
export const NEVER = -1e30;
export const LANES = 4;
export const VECTOR = 16;
export const FLOAT = 4;
/** Of a head, so much in one round of a loop: its size is in steps of that. */
export const VECTORS = [0, 1, 2, 3].map((index) => VECTOR * index);
export const ROUND = VECTOR * VECTORS.length;
/** Keys at a time. */
const PLACES = 8;

export const locals = (local: (type: ValueType) => Local, type: ValueType, count: number): Local[] => Array.from({ length: count }, () => local(type));

/** `attendOne(query, queryStride, keys, values, scores, to, toStride, rows, past, headSize, scale)` */
export const attendOne = (simd: Simd): Func =>
  func("attendOne", ATTEND_PARAMS, null, ([query, queryStride, keys, values, scores, to, toStride, rows, past, headSize, scale], local) => {
    const [at, end, part, partEnd, rowBytes, keptRow, last, target, placeEnd, apart] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const rowsAt = locals(local, "i32", PLACES);
    const sums = locals(local, "v128", PLACES);
    const weights = locals(local, "v128", PLACES);
    const [most, all, scaled, whole, own, scales] = [local("v128"), local("v128"), local("v128"), local("v128"), local("v128"), local("v128")];
    const fixed = constants(local);
    const fused = madd(simd);
    const power = exponential(simd, fixed, f32x4.sub(v128.load(get(at)), get(most)), scaled, whole);
    /** The score of a key at one of the places. */
    const score = (place: number): Code => i32.add(get(at), times(apart, FLOAT * place));

    /** Products of the query with so many keys, each in a vector still to be added across; what is read next is their scales. */
    const dots = (count: number): Code[] => [
      ...sums.slice(0, count).map((sum) => set(sum, fixed.float(0))),
      set(part, get(query)),
      until(part, get(partEnd), [
        ...VECTORS.flatMap((offset) => [
          set(own, v128.load(get(part), offset)),
          ...sums.slice(0, count).map((sum, index) => set(sum, fused(get(own), kept(rowsAt[index] ?? part, offset), get(sum)))),
        ]),
        move(part, i32.value(ROUND)),
        ...rowsAt.slice(0, count).map((row) => move(row, i32.value(ROUND / 2))),
      ]),
    ];
    /** Values of so many keys, by their weights, onto what is there. */
    const mix = (count: number): Code[] => [
      ...weights.slice(0, count).map((weight, index) => set(weight, f32x4.mul(v128.load32Splat(score(index)), scaleOf(rowsAt[index] ?? part, headSize)))),
      set(target, get(to)),
      until(target, get(partEnd), [
        ...VECTORS.map((offset) => v128.store(get(target), weights.slice(0, count).reduce<Code>((sum, weight, index) => fused(get(weight), kept(rowsAt[index] ?? part, offset), sum), v128.load(get(target), offset)), offset)),
        move(target, i32.value(ROUND)),
        ...rowsAt.slice(0, count).map((row) => move(row, i32.value(ROUND / 2))),
      ]),
      ...onwards(count),
    ];
    /** To the next keys or values. */
    const onwards = (count: number): Code[] => [...rowsAt.slice(0, count).map((row) => move(row, i32.value(SCALE_BYTES))), move(at, i32.value(FLOAT))];
    const pair = ([a, b]: readonly Local[]): Code => (a && b ? f32x4.add(v128.shuffle(get(a), get(b), words(0, 4, 1, 5)), v128.shuffle(get(a), get(b), words(2, 6, 3, 7))) : []);
    const [first = most] = sums;
    const four = (from: number): Code[] => {
      const [a = first, b = first, c = first, d = first] = sums.slice(from, from + LANES);
      return [
        set(a, pair([a, b])),
        set(c, pair([c, d])),
        set(a, f32x4.mul(get(scales), f32x4.add(v128.shuffle(get(a), get(c), words(0, 1, 4, 5)), v128.shuffle(get(a), get(c), words(2, 3, 6, 7))))),
        ...rowsAt.slice(from, from + LANES).map((row, lane) => f32.store(score(from + lane), f32.mul(f32x4.lane(get(a), lane), f32.load(get(row))))),
      ];
    };
    /** The first of each place; or what is left. */
    const places = (start: Local): Code[] => rowsAt.map((row, place) => set(row, plus(start, i32.mul(times(apart, place), get(keptRow)))));
    const rest = (start: Local): Code[] => rowsAt.slice(0, 1).map((row) => set(row, plus(start, i32.mul(times(apart, PLACES), get(keptRow)))));
    const body = [
      set(rowBytes, bytes(headSize, 2)),
      set(keptRow, keptBytesOf(headSize)),
      set(last, plus(past, get(rows))),
      set(scales, f32x4.splat(get(scale))),
      until(past, get(last), [
        move(past, i32.value(1)),
        set(end, plus(scores, bytes(past, 2))),
        set(apart, i32.shiftRight(get(past), i32.value(Math.log2(PLACES)))),
        set(placeEnd, plus(scores, bytes(apart, 2))),
        // Scores.
        set(at, get(scores)),
        ...places(keys),
        set(partEnd, plus(query, get(rowBytes))),
        whileLess(at, get(placeEnd), [...dots(PLACES), ...Array.from({ length: PLACES / LANES }, (_, index) => four(LANES * index)).flat(), ...onwards(PLACES)]),
        set(at, plus(scores, times(apart, FLOAT * PLACES))),
        ...rest(keys),
        whileLess(at, get(end), [...dots(1), ...rowsAt.slice(0, 1).map((row) => f32.store(get(at), f32.mul(f32.mul(get(scale), horizontal(first)), f32.load(get(row))))), ...onwards(1)]),
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
        ...places(values),
        whileLess(at, get(placeEnd), mix(PLACES)),
        set(at, plus(scores, times(apart, FLOAT * PLACES))),
        ...rest(values),
        whileLess(at, get(end), mix(1)),
        set(target, get(to)),
        until(target, get(partEnd), [v128.store(get(target), f32x4.mul(get(all), v128.load(get(target)))), move(target, i32.value(VECTOR))]),
        move(query, get(queryStride)),
        move(to, get(toStride)),
      ]),
    ];
    return [...fixed.steps(), ...body];
  });
