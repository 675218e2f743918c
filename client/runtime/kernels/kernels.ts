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
import { attend } from "./attention.ts";
import { roundedBytes, type Bits } from "./layout.ts";
import { pack, unpack } from "./packing.ts";
import type { Simd } from "./pieces.ts";
import { product } from "./products.ts";
import { round } from "./rounding.ts";
import { copy, normalize, pairwise, rotate, sigmoid, siluMul } from "./rows.ts";
import { availableSimd } from "./simd.ts";

export { scoresBytes } from "./attention.ts";
export { BLOCK, OUTPUTS, packedBytes, roundedBytes, type Bits } from "./layout.ts";

export interface Kernels {
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
  /** gate · sigmoid(gate) · up */
  readonly siluMul: (gate: number, up: number, to: number, count: number) => void;
  /** By the root of the mean square. */
  readonly normalize: (x: number, weights: number, to: number, rows: number, size: number, epsilon: number) => void;
  /** One head of each row, `half` its size; the rows' positions follow one another, `cos` and `sin` begin at the first. */
  readonly rotate: (x: number, stride: number, cos: number, sin: number, to: number, toStride: number, rows: number, half: number) => void;
  readonly copy: (x: number, stride: number, to: number, toStride: number, rows: number, size: number) => void;
  /** One head, of a size in steps of 16, at positions from `past` on, each over the keys up to its own. `scores`: `scoresBytes(past + rows)`. */
  readonly attend: (query: number, queryStride: number, keys: number, values: number, scores: number, to: number, toStride: number, rows: number, past: number, headSize: number, scale: number) => void;
}

/** Rows that the products take at a time, as many as are left of the largest first. */
const TOGETHER = [2, 1] as const;

const functions = (simd: Simd): readonly Func[] => [
  round(simd),
  pack("pack4", 4),
  pack("pack8", 8),
  unpack("unpack4", 4),
  unpack("unpack8", 8),
  ...TOGETHER.flatMap((rows) => [product(`product4x${rows}`, 4, simd, rows), product(`product8x${rows}`, 8, simd, rows)]),
  pairwise("add", f32x4.add),
  pairwise("mul", f32x4.mul),
  sigmoid(simd),
  siluMul(simd),
  normalize(simd),
  rotate,
  copy,
  attend(simd),
];

export const compileKernels = (isShared: boolean, simd: Simd = availableSimd()): Promise<WebAssembly.Module> => WebAssembly.compile(assemble(functions(simd), isShared));

type Product = (packed: number, x: number, xScales: number, y: number, rows: number, n: number, k: number, from: number, to: number) => void;
type Exports = Omit<Kernels, "pack" | "unpack" | "product"> &
  Record<"pack4" | "pack8", (weights: number, scales: number, zeros: number, to: number, n: number, k: number) => void> &
  Record<"unpack4" | "unpack8", (packed: number, output: number, to: number, k: number) => void> &
  Record<`product${Bits}x${(typeof TOGETHER)[number]}`, Product>;

export async function startKernels(memory: WebAssembly.Memory, module?: WebAssembly.Module): Promise<Kernels> {
  const isShared = typeof SharedArrayBuffer !== "undefined" && memory.buffer instanceof SharedArrayBuffer;
  const { exports } = await WebAssembly.instantiate(module ?? (await compileKernels(isShared)), { heap: { memory } });
  const { pack4, pack8, unpack4, unpack8, ...kernels } = exports as unknown as Exports;
  return {
    ...kernels,
    pack: (bits, ...rest) => (bits === 4 ? pack4 : pack8)(...rest),
    unpack: (bits, ...rest) => (bits === 4 ? unpack4 : unpack8)(...rest),
    product: (bits, packed, x, xScales, y, rows, n, k, from, to) => {
      const [first, rest] = bits === 4 ? [kernels.product4x2, kernels.product4x1] : [kernels.product8x2, kernels.product8x1];
      const even = rows & ~1;
      if (even > 0) first(packed, x, xScales, y, even, n, k, from, to);
      if (rows > even) rest(packed, x + even * roundedBytes(k), xScales + 4 * even, y + 4 * n * even, 1, n, k, from, to);
    },
  };
}
