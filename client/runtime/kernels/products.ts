/**
 * Products of rounded rows with packed weights, for a range of the outputs.
 *
 * - Of many rows, some at a time: what is unpacked of the weights serves all of these.
 * - Of one row, the range in up to eight parts at a time: a processor that reads from several places waits less for
 *   weights that are in no near cache (measured on one core: 8 GB/s from one, 14 from four, 16 from eight).
 */
import { f32x4, func, get, i32, move, set, until, v128, type Code, type Func } from "./assembler.ts";
import { OUTPUTS, packedBlock, ROUNDED_BLOCK, type Bits } from "./layout.ts";
import { bytes, plus, times, type Simd } from "./pieces.ts";
import { blockProduct, QUADS, VECTOR } from "./product-block.ts";

const PARAMS = ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"] as const;

/** `name(packed, x, xScales, y, rows, n, k, from, to)`, `together` rows at a time; their count in steps of that. */
export const product = (name: string, bits: Bits, simd: Simd, together: number): Func =>
  func(name, PARAMS, null, ([packed, x, xScales, y, rows, n, k, from, to], local) => {
    const [blocks, panel, panelEnd, weights, rowBytes, xEnd, tile, tileScales, tileTo] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const each = Array.from({ length: together }, () => ({ at: local("i32"), totals: Array.from({ length: QUADS }, () => local("v128")) }));
    const { fixed, block } = blockProduct(bits, simd, together, local);
    const body = [
      set(blocks, i32.shiftRight(get(k), i32.value(5))),
      set(rowBytes, times(blocks, ROUNDED_BLOCK)),
      set(xEnd, plus(x, i32.mul(get(rows), get(rowBytes)))),
      set(panelEnd, plus(packed, i32.mul(i32.shiftRight(get(from), i32.value(3)), times(blocks, packedBlock(bits))))),
      until(from, get(to), [
        set(panel, get(panelEnd)),
        set(panelEnd, plus(panel, times(blocks, packedBlock(bits)))),
        set(tile, get(x)),
        set(tileScales, get(xScales)),
        set(tileTo, plus(y, bytes(from, 2))),
        until(tile, get(xEnd), [
          ...each.flatMap((row, index) => [set(row.at, plus(tile, times(rowBytes, index))), ...row.totals.map((total) => set(total, fixed.float(0)))]),
          set(weights, get(panel)),
          until(weights, get(panelEnd), [...block(weights, each), move(weights, i32.value(packedBlock(bits))), ...each.map((row) => move(row.at, i32.value(ROUNDED_BLOCK)))]),
          ...each.flatMap((row, index) => [
            ...row.totals.map((total, q) => v128.store(get(tileTo), f32x4.mul(get(total), v128.load32Splat(get(tileScales), 4 * index)), VECTOR * q)),
            move(tileTo, bytes(n, 2)),
          ]),
          move(tile, times(rowBytes, together)),
          move(tileScales, i32.value(4 * together)),
        ]),
        move(from, i32.value(OUTPUTS)),
      ]),
    ];
    return [...fixed.steps(), ...body];
  });

/**
 * As `product`, of a single row, read from so many places at once: `name(packed, x, xScales, y, places, n, k, from, to)`,
 * `to − from` in steps of `places` · `OUTPUTS`. What is summed up of a place waits in `y` for its turn.
 */
export const productOfOne = (name: string, bits: Bits, simd: Simd): Func =>
  func(name, PARAMS, null, ([packed, x, xScales, y, places, _n, k, from, to], local) => {
    const [blocks, panelBytes, apart, apartBytes, at, xEnd] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const [blockAt, weights, target, targetEnd] = [local("i32"), local("i32"), local("i32"), local("i32")];
    const scale = local("v128");
    const row = { at, totals: Array.from({ length: QUADS }, () => local("v128")) };
    const { fixed, block } = blockProduct(bits, simd, 1, local);
    /** At each place. */
    const eachPlace = (change: (q: number) => Code): Code[] => [
      set(target, get(y)),
      until(target, get(targetEnd), [...row.totals.map((_, q) => v128.store(get(target), change(q), VECTOR * q)), move(target, bytes(apart, 2))]),
    ];
    const body = [
      set(blocks, i32.shiftRight(get(k), i32.value(5))),
      set(panelBytes, times(blocks, packedBlock(bits))),
      set(packed, plus(packed, i32.mul(i32.shiftRight(get(from), i32.value(3)), get(panelBytes)))),
      set(y, plus(y, bytes(from, 2))),
      // Outputs of one place.
      set(apart, i32.divUnsigned(i32.sub(get(to), get(from)), get(places))),
      set(apartBytes, i32.mul(i32.shiftRight(get(apart), i32.value(3)), get(panelBytes))),
      set(to, plus(from, get(apart))),
      set(xEnd, plus(x, times(blocks, ROUNDED_BLOCK))),
      set(scale, v128.load32Splat(get(xScales))),
      until(from, get(to), [
        set(targetEnd, plus(y, i32.mul(bytes(apart, 2), get(places)))),
        ...eachPlace(() => fixed.float(0)),
        set(at, get(x)),
        set(blockAt, get(packed)),
        until(at, get(xEnd), [
          set(weights, get(blockAt)),
          set(target, get(y)),
          until(target, get(targetEnd), [
            ...row.totals.map((total, q) => set(total, v128.load(get(target), VECTOR * q))),
            ...block(weights, [row]),
            ...row.totals.map((total, q) => v128.store(get(target), get(total), VECTOR * q)),
            move(weights, get(apartBytes)),
            move(target, bytes(apart, 2)),
          ]),
          move(blockAt, i32.value(packedBlock(bits))),
          move(at, i32.value(ROUNDED_BLOCK)),
        ]),
        ...eachPlace((q) => f32x4.mul(get(scale), v128.load(get(target), VECTOR * q))),
        move(packed, get(panelBytes)),
        move(y, i32.value(4 * OUTPUTS)),
        move(from, i32.value(OUTPUTS)),
      ]),
    ];
    return [...fixed.steps(), ...body];
  });
