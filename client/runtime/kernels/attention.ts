/** Attention of one head, over keys and values that lie in rows of its size. */
import { f32, f32x4, func, get, i32, move, set, until, v128, type Func } from "./assembler.ts";
import { exponential } from "./exponential.ts";
import { bytes, highest, horizontal, madd, plus, splat, type Simd } from "./pieces.ts";

/** Scores that are none: what stands after the last, so that four may be taken at a time. */
const NEVER = -1e30;

/** Bytes of scratch, for each thread, where up to `total` keys are attended to. */
export const scoresBytes = (total: number): number => 4 * (total + 8);

/**
 * `attend(query, queryStride, keys, values, scores, to, toStride, rows, past, headSize, scale)`: rows at positions from
 * `past` on, each over the keys up to its own; strides in bytes, sizes in steps of 16.
 */
export const attend = (simd: Simd): Func =>
  func("attend", ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "f32"], null, ([query, queryStride, keys, values, scores, to, toStride, rows, past, headSize, scale], local) => {
    const [at, end, key, part, partEnd, rowBytes, last, target, value] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const [sum, other, most, all, scaled, whole] = [local("v128"), local("v128"), local("v128"), local("v128"), local("v128"), local("v128")];
    const mixed = Array.from({ length: 4 }, () => local("v128"));
    const fused = madd(simd);
    const power = exponential(simd, f32x4.sub(v128.load(get(at)), get(most)), scaled, whole);
    return [
      set(rowBytes, bytes(headSize, 2)),
      set(last, plus(past, get(rows))),
      until(past, get(last), [
        move(past, i32.value(1)),
        set(end, plus(scores, bytes(past, 2))),
        set(most, splat(NEVER)),
        // Scores.
        set(at, get(scores)),
        set(key, get(keys)),
        until(at, get(end), [
          set(sum, splat(0)),
          set(other, splat(0)),
          set(part, get(query)),
          set(partEnd, plus(query, get(rowBytes))),
          until(part, get(partEnd), [
            ...[sum, other, sum, other].map((half, index) => set(half, fused(v128.load(get(part), 16 * index), v128.load(get(key), 16 * index), get(half)))),
            move(part, i32.value(64)),
            move(key, i32.value(64)),
          ]),
          set(sum, f32x4.add(get(sum), get(other))),
          set(sum, f32x4.splat(f32.mul(horizontal(sum), get(scale)))),
          set(most, f32x4.max(get(most), get(sum))),
          f32.store(get(at), f32x4.lane(get(sum), 0)),
          move(at, i32.value(4)),
        ]),
        v128.store(get(end), splat(NEVER)),
        // Their weights.
        set(most, f32x4.splat(highest(most))),
        set(at, get(scores)),
        set(all, splat(0)),
        until(at, get(end), [...power.steps, set(sum, power.value), v128.store(get(at), get(sum)), set(all, f32x4.add(get(all), get(sum))), move(at, i32.value(16))]),
        set(all, f32x4.splat(f32.div(f32.value(1), horizontal(all)))),
        // Values, 16 numbers of the head at a time.
        set(value, get(values)),
        set(target, get(to)),
        set(partEnd, plus(to, get(rowBytes))),
        until(target, get(partEnd), [
          ...mixed.map((each) => set(each, splat(0))),
          set(at, get(scores)),
          set(key, get(value)),
          until(at, get(end), [
            set(sum, v128.load32Splat(get(at))),
            ...mixed.map((each, index) => set(each, fused(get(sum), v128.load(get(key), 16 * index), get(each)))),
            move(at, i32.value(4)),
            set(key, plus(key, get(rowBytes))),
          ]),
          ...mixed.map((each, index) => v128.store(get(target), f32x4.mul(get(each), get(all)), 16 * index)),
          move(value, i32.value(64)),
          move(target, i32.value(64)),
        ]),
        move(query, get(queryStride)),
        move(to, get(toStride)),
      ]),
    ];
  });
