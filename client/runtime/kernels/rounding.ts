/** Activations as the products take them: two bytes under one scale a row, and the sum of each block. */
import { f32, f32x4, func, get, i16x8, i32, i32x4, move, set, until, v128, type Code, type Func } from "./assembler.ts";
import { BLOCK, LARGEST, ROUNDED_BLOCK, SUM_AT } from "./layout.ts";
import { bytes, constants, hasDots, highest, horizontal, plus, splat, WHOLE, type Simd } from "./pieces.ts";

/** Of eight 16-bit numbers: 0 and 4, 1 and 5, … */
const PAIRS = [0, 4, 1, 5, 2, 6, 3, 7].flatMap((number) => [2 * number, 2 * number + 1]);
/** High bytes from the first, low ones from the second: of the even numbers, then of the odd ones. */
const PARTS = [0, 1].flatMap((odd) => [1, 16].flatMap((from) => [0, 2, 4, 6].map((number) => from + 2 * (number + odd))));

/** `round(x, to, scales, rows, k)` */
export const round = (simd: Simd): Func =>
  func("round", ["i32", "i32", "i32", "i32", "i32"], null, ([x, to, scales, rows, k], local) => {
    const [at, end, scalesEnd, most, up, sum, numbers, half] = [local("i32"), local("i32"), local("i32"), local("v128"), local("v128"), local("v128"), local("v128"), local("v128")];
    const fixed = constants(local);
    const rounded = (offset: number): Code => i32x4.sub(f32x4.add(f32x4.mul(v128.load(get(x), offset), get(up)), fixed.float(WHOLE)), fixed.float(WHOLE));
    // The low byte is a signed one: the high one is that of the number and 128.
    const inOrder = hasDots(simd) ? v128.shuffle(i16x8.add(get(numbers), fixed.short(128)), get(numbers), PARTS) : v128.shuffle(get(numbers), get(numbers), PAIRS);
    const eight = (index: number): Code[] => [
      set(half, rounded(32 * index)),
      set(numbers, rounded(32 * index + 16)),
      set(sum, index === 0 ? i32x4.add(get(half), get(numbers)) : i32x4.add(get(sum), i32x4.add(get(half), get(numbers)))),
      set(numbers, i16x8.narrow(get(half), get(numbers))),
      v128.store(get(to), inOrder, 16 * index),
    ];
    const eights = Array.from({ length: BLOCK / 8 }, (_, index) => eight(index)).flat();
    return [
      ...fixed.steps(),
      set(scalesEnd, plus(scales, bytes(rows, 2))),
      until(scales, get(scalesEnd), [
        set(end, plus(x, bytes(k, 2))),
        set(at, get(x)),
        ...[most, half].map((each) => set(each, splat(1e-30))), // a row of zeros has a scale too
        set(sum, splat(0)),
        until(at, get(end), [
          ...[most, half].flatMap((each, which) => [
            set(numbers, v128.load(get(at), 16 * which)),
            set(each, f32x4.max(get(each), f32x4.abs(get(numbers)))),
            set(sum, f32x4.add(get(sum), f32x4.mul(get(numbers), fixed.float(0)))),
          ]),
          move(at, i32.value(32)),
        ]),
        // What is no finite number makes the sum none, and so all products of the row.
        set(most, f32x4.add(f32x4.max(get(most), get(half)), get(sum))),
        set(up, f32x4.splat(f32.div(f32.value(LARGEST), highest(most)))),
        f32.store(get(scales), f32.div(highest(most), f32.value(LARGEST))),
        until(x, get(end), [
          ...eights,
          set(sum, f32x4.ofInts(get(sum))),
          f32.store(get(to), horizontal(sum), SUM_AT),
          move(x, i32.value(4 * BLOCK)),
          move(to, i32.value(ROUNDED_BLOCK)),
        ]),
        move(scales, i32.value(4)),
      ]),
    ];
  });
