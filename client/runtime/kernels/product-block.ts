/**
 * One block of a product: eight outputs, so many rows.
 *
 * - A block's sums are whole numbers, exact: 16 bits of each activation times 4 or 8 bits. Scales and zero points come
 *   in once a block, as floats: Σ s·(w − z)·x = s·(Σ w·x) − s·z·(Σ x).
 * - With relaxed SIMD an activation is two signed bytes; its dot product takes 16 at once, in fours, which is what lies
 *   together in the packed form. Plain SIMD takes pairs of 16 bits: the same bytes, masked another way.
 */
import { f32x4, get, i16x8, i32, i32x4, relaxed, set, v128, type Code, type Local, type ValueType } from "./assembler.ts";
import { BLOCK, OUTPUTS, QUAD, scalesAt, SUM_AT, zerosAt, type Bits } from "./layout.ts";
import { constants, hasDots, madd, type Constants, type Simd } from "./pieces.ts";

/** One vector of weights from the packed bytes at `offset`, and where the activations for it stand in their block. */
interface Part {
  readonly offset: number;
  readonly of: (packed: Code) => Code;
  /** One each for what sums have: for high and low bytes, or for pairs. */
  readonly activations: readonly number[];
}

export const VECTOR = 16;
export const QUADS = OUTPUTS / QUAD;
/** Numbers whose activations lie together. */
const EIGHT = 8;

function partsOf(bits: Bits, simd: Simd, fixed: Constants): Part[] {
  const eights = Array.from({ length: BLOCK / EIGHT }, (_, index) => index);
  const mask = (value: number) => (packed: Code): Code => v128.and(packed, fixed.short(value));
  const shifted = (by: number) => (packed: Code): Code => i16x8.shiftRight(packed, i32.value(by));
  const fourBits = eights.map((eight) => ({ offset: eight * QUADS * VECTOR, at: 2 * EIGHT * eight }));
  const eightBits = eights.flatMap((eight) => [0, 1].map((odd) => ({ offset: (2 * eight + odd) * QUADS * VECTOR, at: 2 * EIGHT * eight, odd })));
  if (!hasDots(simd)) {
    return bits === 4
      ? fourBits.flatMap(({ offset, at }) => [mask(15), (packed: Code) => mask(15)(shifted(4)(packed)), (packed: Code) => mask(15)(shifted(8)(packed)), shifted(12)].map((of, pair) => ({ offset, of, activations: [at + 4 * pair] })))
      : eightBits.flatMap(({ offset, at, odd }) => [mask(255), shifted(8)].map((of, second) => ({ offset, of, activations: [at + 4 * (odd + 2 * second)] })));
  }
  const whole = (packed: Code): Code => (simd === "signed" ? v128.xor(packed, fixed.short(0x8080)) : packed);
  return bits === 4
    ? fourBits.flatMap(({ offset, at }) => [mask(0x0f0f), (packed: Code) => mask(0x0f0f)(shifted(4)(packed))].map((of, odd) => ({ offset, of, activations: [at + 8 * odd, at + 8 * odd + 4] })))
    : eightBits.map(({ offset, at, odd }) => ({ offset, of: whole, activations: [at + 8 * odd, at + 8 * odd + 4] }));
}

export interface Row {
  /** Where its activations of the block lie. */
  readonly at: Local;
  /** One for each four outputs. */
  readonly totals: readonly Local[];
}

export interface BlockProduct {
  readonly fixed: Constants;
  /** Adds to the rows' totals what the block of weights at `weights` gives, but for the rows' scales. */
  readonly block: (weights: Local, rows: readonly Row[]) => readonly Code[];
}

/** For up to `together` rows at a time. */
export function blockProduct(bits: Bits, simd: Simd, together: number, local: (type: ValueType) => Local): BlockProduct {
  const fixed = constants(local);
  const parts = partsOf(bits, simd, fixed);
  const perTotal = parts[0]?.activations.length ?? 1;
  const quads = Array.from({ length: QUADS }, () => ({ packed: local("v128"), weights: local("v128"), scales: local("v128"), corrections: local("v128") }));
  const sumsOf = Array.from({ length: together }, () => quads.map(() => Array.from({ length: perTotal }, () => local("v128"))));
  const [activations, zeros] = [local("v128"), local("v128")];
  const fused = madd(simd);
  /** Of 8-bit weights as signed bytes, zero points are less by so much. */
  const middle = bits === 8 && simd === "signed" ? 128 : 0;

  const add = (sum: Local, part: Local, isFirst: boolean): Code => {
    if (hasDots(simd)) return set(sum, relaxed.dotAdd(get(activations), get(part), isFirst ? fixed.int(0) : get(sum)));
    const dot = i32x4.dot(get(activations), get(part));
    return set(sum, isFirst ? dot : i32x4.add(get(sum), dot));
  };
  const whole = ([high, low]: readonly Local[]): Code => (high ? f32x4.ofInts(low ? i32x4.add(i32x4.shl(get(high), i32.value(8)), get(low)) : get(high)) : []);

  const block = (weights: Local, rows: readonly Row[]): Code[] => [
    ...parts.flatMap((part, index) => [
      ...quads.flatMap((quad, q) => (parts[index - 1]?.offset === part.offset ? [] : [set(quad.packed, v128.load(get(weights), part.offset + VECTOR * q))])),
      ...quads.map((quad) => set(quad.weights, part.of(get(quad.packed)))),
      ...rows.flatMap((row, r) =>
        part.activations.flatMap((offset, which) => [
          set(activations, v128.load32Splat(get(row.at), offset)),
          ...quads.flatMap((quad, q) => (sumsOf[r]?.[q] ?? []).slice(which, which + 1).map((sum) => add(sum, quad.weights, index === 0))),
        ]),
      ),
    ]),
    set(zeros, v128.load8Unsigned(get(weights), zerosAt(bits))),
    ...quads.flatMap((quad, q) => [
      set(quad.scales, v128.load(get(weights), scalesAt(bits) + VECTOR * q)),
      set(quad.corrections, f32x4.mul(get(quad.scales), f32x4.sub(fixed.float(middle), f32x4.ofInts((q === 0 ? i32x4.ofLowUnsigned : i32x4.ofHighUnsigned)(get(zeros)))))),
    ]),
    ...rows.flatMap((row, r) => [
      set(activations, v128.load32Splat(get(row.at), SUM_AT)),
      ...row.totals.flatMap((total, q) =>
        quads.slice(q, q + 1).map((quad) => set(total, fused(get(quad.corrections), get(activations), fused(get(quad.scales), whole(sumsOf[r]?.[q] ?? []), get(total))))),
      ),
    ]),
  ];
  return { fixed, block };
}
