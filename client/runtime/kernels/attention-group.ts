/**
 * Attention of a single token, for heads that share keys and values: what is read of these serves all of the heads.
 *
 * - Heads lie one behind the other, queries and results; keys and values in rows as they are kept (`kept-rows.ts`).
 * - A key's scores with all heads lie in one vector: what a head's have in common needs no adding across.
 * - Keys and values come from several places at once, as in `attention.ts`.
 */
import { f32x4, func, get, i32, move, set, until, v128, type Code, type Func, type Local } from "./assembler.ts";
import { LANES, locals, NEVER, ROUND, VECTOR, VECTORS } from "./attention.ts";
import { exponential } from "./exponential.ts";
import { kept, keptBytesOf, SCALE_BYTES, scaleOf } from "./kept-rows.ts";
import { bytes, constants, madd, plus, splat, times, whileLess, words, type Simd } from "./pieces.ts";

const GROUP_PARAMS = ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "f32"] as const;
export type GroupSize = 2 | 3 | 4;
/** Keys at a time. With fewer it waits for memory; with eight, for want of registers. */
const PLACES = 4;

/** `name(query, keys, values, scores, to, past, headSize, scale)` */
export const attendGroup = (name: string, heads: GroupSize, simd: Simd): Func =>
  func(name, GROUP_PARAMS, null, ([query, keys, values, scores, to, past, headSize, scale], local) => {
    const [at, end, placeEnd, apart, part, partEnd, rowBytes, keptRow] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const [queriesAt, targets, rowsAt] = [heads, heads, PLACES].map((count) => locals(local, "i32", count)) as [Local[], Local[], Local[]];
    const [own, mixed] = [locals(local, "v128", heads), locals(local, "v128", heads)];
    /** Of each place, one for each head: sums, then weights. */
    const each = rowsAt.map((row, place) => ({ row, place, sums: locals(local, "v128", heads) }));
    const [read, most, all, scaled, whole, scales] = [local("v128"), local("v128"), local("v128"), local("v128"), local("v128"), local("v128")];
    const fixed = constants(local);
    const fused = madd(simd);
    const power = exponential(simd, fixed, f32x4.sub(v128.load(get(at)), get(most)), scaled, whole);
    /** The scores of a key at one of the places. */
    const score = (place: number): Code => i32.add(get(at), times(apart, VECTOR * place));
    const aligned = (first: readonly Local[], from: Local): Code[] => first.map((local, head) => set(local, plus(from, times(rowBytes, head))));

    const pair = (a: Local, b: Local): Code => f32x4.add(v128.shuffle(get(a), get(b), words(0, 4, 1, 5)), v128.shuffle(get(a), get(b), words(2, 6, 3, 7)));
    /** Added across: one number of each head, and of the last again where there are fewer than four. */
    const across = (sums: readonly Local[]): Code[] => {
      const [a, b, c, d] = Array.from({ length: LANES }, (_, lane) => sums[lane] ?? sums.at(-1) ?? read) as [Local, Local, Local, Local];
      return [
        set(scaled, pair(a, b)),
        set(whole, pair(c, d)),
        set(scaled, f32x4.mul(get(scales), f32x4.add(v128.shuffle(get(scaled), get(whole), words(0, 1, 4, 5)), v128.shuffle(get(scaled), get(whole), words(2, 3, 6, 7))))),
      ];
    };
    /** To the next keys or values. */
    const onwards = (count: number): Code[] => [...each.slice(0, count).map(({ row }) => move(row, i32.value(SCALE_BYTES))), move(at, i32.value(VECTOR))];
    const dots = (count: number): Code[] => {
      const taken = each.slice(0, count);
      return [
        ...taken.flatMap(({ sums }) => sums.map((sum) => set(sum, fixed.float(0)))),
        ...aligned(queriesAt, query),
        set(part, get(query)),
        until(part, get(partEnd), [
          ...VECTORS.flatMap((offset) => [
            ...own.map((numbers, head) => set(numbers, v128.load(get(queriesAt[head] ?? part), offset))),
            ...taken.flatMap(({ row, sums }) => [set(read, kept(row, offset)), ...sums.map((sum, head) => set(sum, fused(get(own[head] ?? read), get(read), get(sum))))]),
          ]),
          ...[part, ...queriesAt].map((local) => move(local, i32.value(ROUND))),
          ...taken.map(({ row }) => move(row, i32.value(ROUND / 2))),
        ]),
        ...taken.flatMap(({ row, sums, place }) => [
          ...across(sums),
          set(scaled, f32x4.mul(get(scaled), v128.load32Splat(get(row)))),
          v128.store(score(place), get(scaled)),
          set(most, f32x4.max(get(most), get(scaled))),
        ]),
        ...onwards(count),
      ];
    };
    const mix = (count: number): Code[] => {
      const taken = each.slice(0, count);
      return [
        ...taken.flatMap(({ row, place, sums }) => [
          set(read, f32x4.mul(v128.load(score(place)), scaleOf(row, headSize))),
          ...sums.map((weight, head) => set(weight, v128.shuffle(get(read), get(read), words(head, head, head, head)))),
        ]),
        ...aligned(targets, to),
        set(part, get(to)),
        until(part, get(partEnd), [
          ...VECTORS.flatMap((offset) => [
            ...mixed.map((sum, head) => set(sum, v128.load(get(targets[head] ?? part), offset))),
            ...taken.flatMap(({ row, sums }) => [set(read, kept(row, offset)), ...mixed.map((sum, head) => set(sum, fused(get(sums[head] ?? read), get(read), get(sum))))]),
            ...mixed.map((sum, head) => v128.store(get(targets[head] ?? part), get(sum), offset)),
          ]),
          ...[part, ...targets].map((local) => move(local, i32.value(ROUND))),
          ...taken.map(({ row }) => move(row, i32.value(ROUND / 2))),
        ]),
        ...onwards(count),
      ];
    };
    /** All keys: those of the places, then what is left, one at a time. */
    const forKeys = (start: Local, work: (count: number) => readonly Code[]): Code[] => [
      set(at, get(scores)),
      ...each.map(({ row, place }) => set(row, plus(start, i32.mul(times(apart, place), get(keptRow))))),
      whileLess(at, get(placeEnd), work(PLACES)),
      set(at, plus(scores, times(apart, VECTOR * PLACES))),
      ...each.slice(0, 1).map(({ row }) => set(row, plus(start, i32.mul(times(apart, PLACES), get(keptRow))))),
      whileLess(at, get(end), work(1)),
    ];
    const eachResult = (change: (head: number) => Code): Code[] => [
      ...aligned(targets, to),
      ...targets.flatMap((target, head) => [set(partEnd, plus(target, get(rowBytes))), until(target, get(partEnd), [v128.store(get(target), change(head)), move(target, i32.value(VECTOR))])]),
    ];
    const body = [
      set(rowBytes, bytes(headSize, 2)),
      set(keptRow, keptBytesOf(headSize)),
      move(past, i32.value(1)),
      set(scales, f32x4.splat(get(scale))),
      set(end, plus(scores, times(past, VECTOR))),
      set(apart, i32.shiftRight(get(past), i32.value(Math.log2(PLACES)))),
      set(placeEnd, plus(scores, times(apart, VECTOR))),
      // Scores.
      set(most, splat(NEVER)),
      set(partEnd, plus(query, get(rowBytes))),
      ...forKeys(keys, dots),
      // Their weights.
      set(at, get(scores)),
      set(all, fixed.float(0)),
      until(at, get(end), [...power.steps, set(read, power.value), v128.store(get(at), get(read)), set(all, f32x4.add(get(all), get(read))), move(at, i32.value(VECTOR))]),
      set(all, f32x4.div(fixed.float(1), get(all))),
      // Values.
      ...eachResult(() => fixed.float(0)),
      set(partEnd, plus(to, get(rowBytes))),
      ...forKeys(values, mix),
      ...eachResult((head) => f32x4.mul(f32x4.splat(f32x4.lane(get(all), head)), v128.load(get(targets[head] ?? at)))),
    ];
    return [...fixed.steps(), ...body];
  });
