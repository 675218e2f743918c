/**
 * Products of rounded rows with packed weights.
 *
 * - A block's sums are whole numbers, exact: 16 bits of each activation times 4 or 8 bits. Scales and zero points come
 *   in once a block, as floats: Σ s·(w − z)·x = s·(Σ w·x) − s·z·(Σ x).
 * - With relaxed SIMD an activation is two signed bytes; its dot product takes 16 at once, in fours, which is what lies
 *   together in the packed form. Plain SIMD takes pairs of 16 bits: the same bytes, masked another way.
 */
import { f32x4, func, get, i16x8, i32, i32x4, i8x16, move, relaxed, set, until, v128, type Code, type Func, type Local } from "./assembler.ts";
import { BLOCK, OUTPUTS, packedBlock, QUAD, ROUNDED_BLOCK, scalesAt, SUM_AT, zerosAt, type Bits } from "./layout.ts";
import { bytes, hasDots, madd, plus, splat, times, type Simd } from "./pieces.ts";

/** One vector of weights from the packed bytes at `offset`, and where the activations for it stand in their block. */
interface Part {
  readonly offset: number;
  readonly of: (packed: Code) => Code;
  /** One each for what sums have: for high and low bytes, or for pairs. */
  readonly activations: readonly number[];
}

const VECTOR = 16;
const QUADS = OUTPUTS / QUAD;
/** Numbers whose activations lie together. */
const EIGHT = 8;

function partsOf(bits: Bits, simd: Simd): Part[] {
  const eights = Array.from({ length: BLOCK / EIGHT }, (_, index) => index);
  const mask = (value: number) => (packed: Code): Code => v128.and(packed, i16x8.splat(i32.value(value)));
  const shifted = (by: number) => (packed: Code): Code => i16x8.shiftRight(packed, i32.value(by));
  const fourBits = eights.map((eight) => ({ offset: eight * QUADS * VECTOR, at: 2 * EIGHT * eight }));
  const eightBits = eights.flatMap((eight) => [0, 1].map((odd) => ({ offset: (2 * eight + odd) * QUADS * VECTOR, at: 2 * EIGHT * eight, odd })));
  if (!hasDots(simd)) {
    return bits === 4
      ? fourBits.flatMap(({ offset, at }) => [mask(15), (packed: Code) => mask(15)(shifted(4)(packed)), (packed: Code) => mask(15)(shifted(8)(packed)), shifted(12)].map((of, pair) => ({ offset, of, activations: [at + 4 * pair] })))
      : eightBits.flatMap(({ offset, at, odd }) => [mask(255), shifted(8)].map((of, second) => ({ offset, of, activations: [at + 4 * (odd + 2 * second)] })));
  }
  const whole = (packed: Code): Code => (simd === "signed" ? v128.xor(packed, i8x16.splat(i32.value(128))) : packed);
  return bits === 4
    ? fourBits.flatMap(({ offset, at }) => [(packed: Code) => v128.and(packed, i8x16.splat(i32.value(15))), (packed: Code) => i8x16.shiftRight(packed, i32.value(4))].map((of, odd) => ({ offset, of, activations: [at + 8 * odd, at + 8 * odd + 4] })))
    : eightBits.map(({ offset, at, odd }) => ({ offset, of: whole, activations: [at + 8 * odd, at + 8 * odd + 4] }));
}

/** `name(packed, x, xScales, y, rows, n, k, from, to)`: outputs `from` to `to` of all rows, `together` of these at a time. */
export const product = (name: string, bits: Bits, simd: Simd, together: number): Func =>
  func(name, ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"], null, ([packed, x, xScales, y, rows, n, k, from, to], local) => {
    const [blocks, panel, panelEnd, weights, rowBytes, xEnd, tile, tileScales, tileTo] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const quads = Array.from({ length: QUADS }, () => ({ packed: local("v128"), weights: local("v128"), scales: local("v128"), corrections: local("v128") }));
    const parts = partsOf(bits, simd);
    const sums = parts[0]?.activations.length ?? 1;
    const each = Array.from({ length: together }, () => ({ at: local("i32"), quads: quads.map(() => ({ total: local("v128"), sums: Array.from({ length: sums }, () => local("v128")) })) }));
    const activations = local("v128");
    const zeros = local("v128");
    const fused = madd(simd);

    const add = (sum: Local, part: Local, isFirst: boolean): Code => {
      if (hasDots(simd)) return set(sum, relaxed.dotAdd(get(activations), get(part), isFirst ? i32x4.splat(i32.value(0)) : get(sum)));
      const dot = i32x4.dot(get(activations), get(part));
      return set(sum, isFirst ? dot : i32x4.add(get(sum), dot));
    };
    const block = parts.flatMap((part, index) => [
      ...quads.flatMap((quad, q) => (parts[index - 1]?.offset === part.offset ? [] : [set(quad.packed, v128.load(get(weights), part.offset + VECTOR * q))])),
      ...quads.map((quad) => set(quad.weights, part.of(get(quad.packed)))),
      ...each.flatMap((row) =>
        part.activations.flatMap((offset, which) => [
          set(activations, v128.load32Splat(get(row.at), offset)),
          ...quads.flatMap((quad, q) => {
            const sum = row.quads[q]?.sums[which];
            return sum ? [add(sum, quad.weights, index === 0)] : [];
          }),
        ]),
      ),
    ]);
    const whole = ([high, low]: readonly Local[]): Code => {
      if (!high) return [];
      return f32x4.ofInts(low ? i32x4.add(i32x4.shl(get(high), i32.value(8)), get(low)) : get(high));
    };
    const middle = bits === 8 && simd === "signed" ? 128 : 0;
    const scaled = [
      set(zeros, v128.load8Unsigned(get(weights), zerosAt(bits))),
      ...quads.flatMap((quad, q) => {
        const plain = f32x4.ofInts((q === 0 ? i32x4.ofLowUnsigned : i32x4.ofHighUnsigned)(get(zeros)));
        return [
          set(quad.scales, v128.load(get(weights), scalesAt(bits) + VECTOR * q)),
          set(quad.corrections, f32x4.mul(get(quad.scales), f32x4.sub(splat(middle), plain))),
        ];
      }),
      ...each.flatMap((row) => [
        set(activations, v128.load32Splat(get(row.at), SUM_AT)),
        ...quads.flatMap((quad, q) => {
          const mine = row.quads[q];
          return mine ? [set(mine.total, fused(get(quad.corrections), get(activations), fused(get(quad.scales), whole(mine.sums), get(mine.total))))] : [];
        }),
      ]),
    ];
    return [
      set(blocks, i32.shiftRight(get(k), i32.value(5))),
      set(rowBytes, times(blocks, ROUNDED_BLOCK)),
      set(xEnd, plus(x, i32.mul(get(rows), get(rowBytes)))),
      set(panelEnd, i32.add(get(packed), i32.mul(i32.shiftRight(get(from), i32.value(3)), times(blocks, packedBlock(bits))))),
      until(from, get(to), [
        set(panel, get(panelEnd)),
        set(panelEnd, plus(panel, times(blocks, packedBlock(bits)))),
        set(tile, get(x)),
        set(tileScales, get(xScales)),
        set(tileTo, plus(y, bytes(from, 2))),
        until(tile, get(xEnd), [
          ...each.flatMap((row, index) => [set(row.at, plus(tile, times(rowBytes, index))), ...row.quads.map(({ total }) => set(total, splat(0)))]),
          set(weights, get(panel)),
          until(weights, get(panelEnd), [...block, ...scaled, move(weights, i32.value(packedBlock(bits))), ...each.map((row) => move(row.at, i32.value(ROUNDED_BLOCK)))]),
          ...each.flatMap((row, index) => [
            ...row.quads.map(({ total }, q) => v128.store(get(tileTo), f32x4.mul(get(total), v128.load32Splat(get(tileScales), 4 * index)), VECTOR * q)),
            move(tileTo, bytes(n, 2)),
          ]),
          move(tile, times(rowBytes, together)),
          move(tileScales, i32.value(4 * together)),
        ]),
        move(from, i32.value(OUTPUTS)),
      ]),
    ];
  });
