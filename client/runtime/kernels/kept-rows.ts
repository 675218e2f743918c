/**
 * Rows of keys and values as they are kept: each number has 16 bits, under one scale a row that stands behind them.
 *
 * - Why: a token reads all of them; so it is half as much. They come back right to 1.5e-5 of a row's largest.
 * - What is no finite number makes the scale none, and so all that comes of the row.
 */
import { f32, f32x4, func, get, i16x8, i32, i32x4, move, set, until, v128, type Code, type Func, type Local } from "./assembler.ts";
import { bytes, constants, highest, plus, splat, WHOLE } from "./pieces.ts";

const LARGEST = 32767;
/** Of a row's scale. */
export const SCALE_BYTES = 4;

/** Bytes of a row of so many numbers. */
export const keptBytes = (size: number): number => 2 * size + SCALE_BYTES;

/** The same, in code. */
export const keptBytesOf = (size: Local): Code => i32.add(bytes(size, 1), i32.value(SCALE_BYTES));
/** Four numbers, still to be multiplied by their row's scale. `offset`: of the same ones in a row of floats. */
export const kept = (row: Local, offset: number): Code => f32x4.ofInts(v128.load16Signed(get(row), offset / 2));
/** Of a row whose numbers begin at `row`. */
export const scaleOf = (row: Local, size: Local): Code => v128.load32Splat(plus(row, bytes(size, 1)));

/** `widen(kept, to, rows, size)`: floats again, in rows one behind the other. */
export const widen: Func = func("widen", ["i32", "i32", "i32", "i32"], null, ([from, to, rows, size], local) => {
  const [last, end, scale] = [local("i32"), local("i32"), local("v128")];
  return [
    set(last, plus(to, i32.mul(get(rows), bytes(size, 2)))),
    until(to, get(last), [
      set(end, plus(to, bytes(size, 2))),
      set(scale, scaleOf(from, size)),
      until(to, get(end), [...[0, 16, 32, 48].map((offset) => v128.store(get(to), f32x4.mul(kept(from, offset), get(scale)), offset)), move(from, i32.value(32)), move(to, i32.value(64))]),
      move(from, i32.value(SCALE_BYTES)),
    ]),
  ];
});

/** `keep(x, stride, to, rows, size)`: rows of floats that lie `stride` bytes apart. */
export const keep: Func = func("keep", ["i32", "i32", "i32", "i32", "i32"], null, ([x, stride, to, rows, size], local) => {
  const [last, at, end, most, sum, numbers, up] = [local("i32"), local("i32"), local("i32"), local("v128"), local("v128"), local("v128"), local("v128")];
  const fixed = constants(local);
  const rounded = (offset: number): Code => i32x4.sub(f32x4.add(f32x4.mul(v128.load(get(at), offset), get(up)), fixed.float(WHOLE)), fixed.float(WHOLE));
  const body = [
    set(last, plus(to, i32.mul(get(rows), keptBytesOf(size)))),
    until(to, get(last), [
      set(at, get(x)),
      set(end, plus(x, bytes(size, 2))),
      set(most, splat(1e-30)), // a row of zeros has a scale too
      set(sum, splat(0)),
      until(at, get(end), [
        set(numbers, v128.load(get(at))),
        set(most, f32x4.max(get(most), f32x4.abs(get(numbers)))),
        set(sum, f32x4.add(get(sum), f32x4.mul(get(numbers), fixed.float(0)))),
        move(at, i32.value(16)),
      ]),
      set(most, f32x4.add(get(most), get(sum))),
      set(up, f32x4.splat(f32.div(f32.value(LARGEST), highest(most)))),
      set(at, get(x)),
      until(at, get(end), [v128.store(get(to), i16x8.narrow(rounded(0), rounded(16))), move(at, i32.value(32)), move(to, i32.value(16))]),
      f32.store(get(to), f32.div(highest(most), f32.value(LARGEST))),
      move(to, i32.value(SCALE_BYTES)),
      move(x, get(stride)),
    ]),
  ];
  return [...fixed.steps(), ...body];
});
