/** Weights from the order of `MatMulNBits` to the one of the products, and one output's back to floats. */
import { choose, f32, f32x4, func, get, i16x8, i32, i32x4, i8x16, move, set, until, v128, type Code, type Func } from "./assembler.ts";
import { BLOCK, OUTPUTS, packedBlock, QUAD, scalesAt, zerosAt, type Bits } from "./layout.ts";
import { bytes, plus, times, turned } from "./pieces.ts";

const VECTOR = 16;
/** Of eight each: the even ones, then the odd ones. */
const EVENS_FIRST = [0, 8].flatMap((from) => [0, 2, 4, 6, 1, 3, 5, 7].map((number) => from + number));
const ALTERNATING = Array.from({ length: VECTOR }, (_, at) => (at >> 1) + VECTOR * (at & 1));

/** `name(weights, scales, zeros, to, n, k)`; `zeros`: a byte each block, or 0 where all are the middle of the range. */
export const pack = (name: string, bits: Bits): Func =>
  func(name, ["i32", "i32", "i32", "i32", "i32", "i32"], null, ([weights, scales, zeros, to, n, k], local) => {
    const [blocks, rowBytes, end, blockEnd, at, scalesFrom, zerosFrom] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const rows = Array.from({ length: QUAD }, () => local("v128"));
    const scratch = Array.from({ length: QUAD }, () => local("v128"));
    const blockBytes = (BLOCK * bits) / 8;
    const outputs = Array.from({ length: OUTPUTS }, (_, output) => output);
    const { steps, values } = turned(rows, scratch);
    const load = (output: number, offset: number): Code => {
      const vector = v128.load(plus(at, times(rowBytes, output)), offset);
      return bits === 4 ? vector : v128.shuffle(vector, vector, EVENS_FIRST);
    };
    const moved = outputs.filter((output) => output % QUAD === 0).flatMap((first) =>
      Array.from({ length: blockBytes / VECTOR }, (_, part) => [
        ...rows.map((row, index) => set(row, load(first + index, VECTOR * part))),
        ...steps,
        ...values.map((value, index) => v128.store(get(to), value, (QUAD * part + index) * OUTPUTS * QUAD + QUAD * first)),
      ]).flat(),
    );
    return [
      set(blocks, i32.shiftRight(get(k), i32.value(5))),
      set(rowBytes, times(blocks, blockBytes)),
      set(end, plus(weights, i32.mul(get(n), get(rowBytes)))),
      until(weights, get(end), [
        set(at, get(weights)),
        set(blockEnd, plus(weights, get(rowBytes))),
        set(scalesFrom, get(scales)),
        set(zerosFrom, get(zeros)),
        until(at, get(blockEnd), [
          ...moved,
          ...outputs.map((output) => f32.store(get(to), f32.load(plus(scalesFrom, i32.mul(bytes(blocks, 2), i32.value(output)))), scalesAt(bits) + 4 * output)),
          choose(
            get(zeros),
            outputs.map((output) => i32.store8(get(to), i32.load8(plus(zerosFrom, times(blocks, output))), zerosAt(bits) + output)),
            outputs.map((output) => i32.store8(get(to), i32.value(1 << (bits - 1)), zerosAt(bits) + output)),
          ),
          move(at, i32.value(blockBytes)),
          move(scalesFrom, i32.value(4)),
          move(zerosFrom, i32.value(1)),
          move(to, i32.value(packedBlock(bits))),
        ]),
        move(weights, times(rowBytes, OUTPUTS)),
        move(scales, i32.mul(bytes(blocks, 2), i32.value(OUTPUTS))),
        // `zeros` says whether there are any: 0 stays 0.
        choose(get(zeros), [move(zeros, times(blocks, OUTPUTS))], []),
      ]),
    ];
  });

/** `name(packed, output, to, k)`: the weights of one output, as floats. */
export const unpack = (name: string, bits: Bits): Func =>
  func(name, ["i32", "i32", "i32", "i32"], null, ([packed, output, to, k], local) => {
    const [end, lane, numbers, odd, zero, scale] = [local("i32"), local("i32"), local("v128"), local("v128"), local("v128"), local("v128")];
    const four = (index: number): Code => v128.load32(plus(packed, bytes(lane, 2)), OUTPUTS * QUAD * index);
    const eight = (index: number): Code[] => [
      ...(bits === 4
        ? [set(odd, four(index)), set(numbers, v128.and(get(odd), i8x16.splat(i32.value(15)))), set(odd, i8x16.shiftRight(get(odd), i32.value(4)))]
        : [set(numbers, four(2 * index)), set(odd, four(2 * index + 1))]),
      set(numbers, i16x8.ofLowUnsigned(v128.shuffle(get(numbers), get(odd), ALTERNATING))),
      ...[i32x4.ofLowUnsigned, i32x4.ofHighUnsigned].map((half, which) => v128.store(get(to), f32x4.mul(f32x4.sub(f32x4.ofInts(half(get(numbers))), get(zero)), get(scale)), 32 * index + VECTOR * which)),
    ];
    return [
      set(lane, i32.and(get(output), i32.value(OUTPUTS - 1))),
      set(packed, plus(packed, i32.mul(i32.shiftRight(get(output), i32.value(3)), i32.mul(i32.shiftRight(get(k), i32.value(5)), i32.value(packedBlock(bits)))))),
      set(end, plus(to, bytes(k, 2))),
      until(to, get(end), [
        set(scale, v128.load32Splat(plus(packed, bytes(lane, 2)), scalesAt(bits))),
        set(zero, f32x4.splat(f32.ofInt(i32.load8(plus(packed, get(lane)), zerosAt(bits))))),
        ...Array.from({ length: BLOCK / 8 }, (_, index) => eight(index)).flat(),
        move(packed, i32.value(packedBlock(bits))),
        move(to, i32.value(4 * BLOCK)),
      ]),
    ];
  });
