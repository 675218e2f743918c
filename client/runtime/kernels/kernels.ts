/**
 * What a decoder computes, in WebAssembly SIMD: on weights as the model has them, in blocks of 4 or 8 bits.
 *
 * - Why: onnxruntime-web has no kernel for weights in blocks. Expanded to 32 bits they are read at eight times the
 *   bytes, and reading them is what a token waits for.
 * - Activations are rounded to 16 bits under one scale a row, so sums come out exact but for that (3e-5 of the largest).
 * - Addresses and strides are bytes, floats have 32 bits and lie in rows. Lengths are multiples of 4, those of products
 *   of 32, their outputs of 8 (`OUTPUTS`). No count is 0. Nothing is checked; what a kernel reads and what it writes
 *   are the caller's to keep apart, but that a result may take an operand's place where numbers are taken one by one.
 * - A module is compiled once and started for each thread.
 */
import { assemble, f32x4, type Func } from "./assembler.ts";
import { attendTiles, TILE, tileBytes } from "./attention-tiles.ts";
import { attendGroup, type GroupSize } from "./attention-group.ts";
import { attendOne } from "./attention.ts";
import { keep, widen } from "./kept-rows.ts";
import { OUTPUTS, roundedBytes, type Bits } from "./layout.ts";
import { likeliest } from "./likeliest.ts";
import { pack, unpack } from "./packing.ts";
import type { Simd } from "./pieces.ts";
import { product, productOfOne } from "./products.ts";
import { round } from "./rounding.ts";
import { copy, gelu, normalize, pairwise, rotate, scale, sigmoid, siluMul } from "./rows.ts";
import { scoreWalks, type ScoreWalks } from "./score-walks.ts";
import { availableSimd } from "./simd.ts";

export { keptBytes } from "./kept-rows.ts";
export { BLOCK, OUTPUTS, packedBytes, roundedBytes, wholeOutputs, type Bits } from "./layout.ts";

export interface Kernels extends ScoreWalks {
  /** Rows of `k` floats to what products take (`roundedBytes` each), and a scale each. */
  readonly round: (x: number, to: number, scales: number, rows: number, k: number) => void;
  /** A `MatMulNBits` matrix in blocks of 32 to what products take (`packedBytes`). `zeros`: a byte a block, or 0: all in the middle. */
  readonly pack: (bits: Bits, weights: number, scales: number, zeros: number, to: number, n: number, k: number) => void;
  /** The weights of one output, as floats: a row of a packed table. */
  readonly unpack: (bits: Bits, packed: number, output: number, to: number, k: number) => void;
  /** Outputs `from` to `to` of [rows, n]. */
  readonly product: (bits: Bits, packed: number, x: number, xScales: number, y: number, rows: number, n: number, k: number, from: number, to: number) => void;
  readonly add: (a: number, b: number, to: number, count: number) => void;
  readonly mul: (a: number, b: number, to: number, count: number) => void;
  readonly sigmoid: (x: number, to: number, count: number) => void;
  /** x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2 */
  readonly gelu: (x: number, to: number, count: number) => void;
  readonly scale: (x: number, to: number, count: number, by: number) => void;
  /** gate · sigmoid(gate) · up */
  readonly siluMul: (gate: number, up: number, to: number, count: number) => void;
  /** By the root of the mean square. */
  readonly normalize: (x: number, weights: number, to: number, rows: number, size: number, epsilon: number) => void;
  /** One head of each row, `half` its size; the rows' positions follow one another, `cos` and `sin` begin at the first. */
  readonly rotate: (x: number, stride: number, cos: number, sin: number, to: number, toStride: number, rows: number, half: number) => void;
  readonly copy: (x: number, to: number, count: number) => void;
  /** Rows of keys or values, of a size in steps of 16, that lie `stride` apart, to what attention takes: `keptBytes(size)` each, one behind the other. */
  readonly keep: (x: number, stride: number, to: number, rows: number, size: number) => void;
  /**
   * So many heads, one behind the other, that share keys and values (as `keep` leaves them), of a size in steps of 16:
   * at positions from `past` on, each over the keys up to its own. `scores`: `scoresBytes(past + rows, headSize)`.
   */
  readonly attend: (query: number, queryStride: number, keys: number, values: number, scores: number, to: number, toStride: number, heads: number, rows: number, past: number, headSize: number, scale: number) => void;
  /** The same of one row. */
  readonly attendHeads: (query: number, keys: number, values: number, scores: number, to: number, heads: number, past: number, headSize: number, scale: number) => void;
  /** The smallest index of the largest of at least eight; −1 where none is finite, or ∞. */
  readonly likeliest: (logits: number, count: number) => number;
}

/** Bytes of scratch, for each thread, where up to `total` keys are attended to: a head's keys and values as floats, too. */
export const scoresBytes = (total: number, headSize: number): number => tileBytes(total, headSize) + 2 * 4 * headSize * total;

/** Rows that products take at a time, where there are more than one; and the most places that they read from for one. */
const TOGETHER = 2;
const PLACES = 8;
/** Heads that share keys and values, at a time. */
const MOST_HEADS = 4;

const functions = (simd: Simd): readonly Func[] => [
  round(simd),
  pack("pack4", 4),
  pack("pack8", 8),
  unpack("unpack4", 4),
  unpack("unpack8", 8),
  product("product4", 4, simd, TOGETHER),
  product("product8", 8, simd, TOGETHER),
  productOfOne("one4", 4, simd),
  productOfOne("one8", 8, simd),
  pairwise("add", f32x4.add),
  pairwise("mul", f32x4.mul),
  sigmoid(simd),
  gelu(simd),
  scale,
  siluMul(simd),
  normalize(simd),
  rotate,
  copy,
  keep,
  widen,
  attendOne(simd),
  attendTiles(simd),
  attendGroup("attend2", 2, simd),
  attendGroup("attend3", 3, simd),
  attendGroup("attend4", 4, simd),
  likeliest,
  ...scoreWalks,
];

export const compileKernels = (isShared: boolean, simd: Simd = availableSimd()): Promise<WebAssembly.Module> => WebAssembly.compile(assemble(functions(simd), isShared));

type Product = (packed: number, x: number, xScales: number, y: number, rowsOrPlaces: number, n: number, k: number, from: number, to: number) => void;
type Attend = (query: number, queryStride: number, keys: number, values: number, scores: number, to: number, toStride: number, rows: number, past: number, headSize: number, scale: number) => void;
type Group = (query: number, keys: number, values: number, scores: number, to: number, past: number, headSize: number, scale: number) => void;
type Exports = Omit<Kernels, "pack" | "unpack" | "product" | "attend" | "attendHeads"> &
  Record<"attendOne" | "attendTiles", Attend> &
  Record<"widen", (kept: number, to: number, rows: number, size: number) => void> &
  Record<`attend${GroupSize}`, Group> &
  Record<"pack4" | "pack8", (weights: number, scales: number, zeros: number, to: number, n: number, k: number) => void> &
  Record<"unpack4" | "unpack8", (packed: number, output: number, to: number, k: number) => void> &
  Record<"product4" | "product8" | "one4" | "one8", Product>;

export async function startKernels(memory: WebAssembly.Memory, module?: WebAssembly.Module): Promise<Kernels> {
  const isShared = typeof SharedArrayBuffer !== "undefined" && memory.buffer instanceof SharedArrayBuffer;
  const { exports } = await WebAssembly.instantiate(module ?? (await compileKernels(isShared)), { heap: { memory } });
  const { pack4, pack8, unpack4, unpack8, product4, product8, one4, one8, attendOne, attendTiles, widen, attend2, attend3, attend4, ...kernels } = exports as unknown as Exports;
  const groups: Readonly<Record<number, Group>> = { 2: attend2, 3: attend3, 4: attend4 };
  return {
    ...kernels,
    pack: (bits, ...rest) => (bits === 4 ? pack4 : pack8)(...rest),
    unpack: (bits, ...rest) => (bits === 4 ? unpack4 : unpack8)(...rest),
    product: (bits, packed, x, xScales, y, rows, n, k, from, to) => {
      const tiled = rows - (rows % TOGETHER);
      if (tiled > 0) (bits === 4 ? product4 : product8)(packed, x, xScales, y, tiled, n, k, from, to);
      if (tiled === rows) return;
      const [own, ownScale, ownTo] = [x + tiled * roundedBytes(k), xScales + 4 * tiled, y + 4 * n * tiled];
      for (let at = from; at < to; ) {
        const places = Math.min(PLACES, (to - at) / OUTPUTS);
        const end = to - ((to - at) % (places * OUTPUTS));
        (bits === 4 ? one4 : one8)(packed, own, ownScale, ownTo, places, n, k, at, end);
        at = end;
      }
    },
    attend: (query, queryStride, keys, values, scores, to, toStride, heads, rows, past, headSize, scale) => {
      const [size, tiled] = [4 * headSize, rows - (rows % TILE)];
      const total = past + tiled;
      const wideKeys = scores + tileBytes(total, headSize);
      const wideValues = wideKeys + total * size;
      if (tiled > 0) {
        widen(keys, wideKeys, total, headSize);
        widen(values, wideValues, total, headSize);
      }
      for (let head = 0; head < heads; head++) {
        const [from, onto] = [query + head * size, to + head * size];
        if (tiled > 0) attendTiles(from, queryStride, wideKeys, wideValues, scores, onto, toStride, tiled, past, headSize, scale);
        if (rows > tiled) attendOne(from + tiled * queryStride, queryStride, keys, values, scores, onto + tiled * toStride, toStride, rows - tiled, total, headSize, scale);
      }
    },
    attendHeads: (query, keys, values, scores, to, heads, past, headSize, scale) => {
      const size = 4 * headSize;
      for (let head = 0; head < heads; ) {
        const left = heads - head;
        const count = Math.ceil(left / Math.ceil(left / MOST_HEADS));
        const [from, onto] = [query + head * size, to + head * size];
        const group = groups[count];
        if (group) group(from, keys, values, scores, onto, past, headSize, scale);
        else attendOne(from, size, keys, values, scores, onto, size, 1, past, headSize, scale);
        head += count;
      }
    },
  };
}
