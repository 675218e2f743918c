/**
 * Where a decoder's weights lie, and what of its file goes there. Pure.
 *
 * - Each matrix once: a table that serves as embeddings and as the last product is one.
 */
import { tensorBytes, type OnnxTensor, type Payload } from "../../../../schema/onnx/types.ts";
import type { Weights } from "../../graph/expand-blocks.ts";
import { plainElements } from "../../graph/tensors.ts";
import { BLOCK } from "../../kernels/kernels.ts";
import type { BlockTable, Embedding } from "../embedding-table.ts";
import type { TokenPlan } from "../token-plan.ts";
import { aligned } from "./value-places.ts";

/** A matrix in blocks: its shape; its blocks, their scales and zero points. */
export type Matrix = Pick<Weights, "shape" | "tensors">;

export type Placement =
  | { readonly kind: "matrix"; readonly at: number; readonly bytes: number; readonly matrix: Matrix }
  /** `bytes` may be less than the tensor has: of tables by position, no more than the context. */
  | { readonly kind: "floats"; readonly at: number; readonly bytes: number; readonly from: Payload };

export interface WeightPlaces {
  readonly placements: readonly Placement[];
  readonly matrix: (matrix: Matrix) => number;
  readonly floats: (tensor: OnnxTensor) => number;
  /** The first address beyond. */
  readonly end: number;
}

export function placeWeights({ embedding, steps }: TokenPlan, from: number, contextLength: number, packedBytes: (bits: 4 | 8, n: number, k: number) => number): WeightPlaces {
  const places = new Map<string, number>();
  const placements: Placement[] = [];
  let end = from;
  const place = (key: string, bytes: number, make: (at: number) => Placement): void => {
    if (places.has(key)) return;
    places.set(key, end);
    placements.push(make(end));
    end += aligned(bytes);
  };
  const matrix = (given: Matrix): void => {
    const { bits, n, k } = given.shape;
    const bytes = packedBytes(bits, n, k);
    place(matrixKey(given), bytes, (at) => ({ kind: "matrix", at, bytes, matrix: given }));
  };
  const floats = (tensor: OnnxTensor | null, most = Infinity): void => {
    if (!tensor) return;
    const payload = plainElements(tensor);
    if (!payload) throw new Error(`the weights ${tensor.name} are not stored plainly`);
    const bytes = Math.min(most, tensorBytes(tensor) ?? 0);
    place(tensor.name, bytes, (at) => ({ kind: "floats", at, bytes, from: payload }));
  };

  if (embedding.table.kind === "blocks") matrix(tableOf(embedding, embedding.table));
  else floats(embedding.table.rows);
  for (const step of steps) {
    switch (step.kind) {
      case "product":
        matrix(step.weights);
        break;
      case "normalize":
        floats(step.weights);
        break;
      case "addConstant":
        floats(step.b);
        break;
      case "attention":
        for (const table of [step.cos, step.sin]) floats(table, 4 * contextLength * (step.attention.headSize / 2));
        break;
      case "add":
      case "mul":
      case "siluMul":
      case "sigmoid":
      case "gelu":
      case "scale":
    }
  }
  const found = (key: string): number => {
    const at = places.get(key);
    if (at === undefined) throw new Error(`the plan has no weights ${key}`);
    return at;
  };
  return { placements, matrix: (given) => found(matrixKey(given)), floats: ({ name }) => found(name), end };
}

const matrixKey = ({ tensors: [quantized, scales, zeros] }: Matrix): string => `${quantized.name} ${scales.name} ${zeros?.name ?? ""}`;

/** Embeddings in blocks, as the matrix of a product. */
export const tableOf = ({ vocabulary, size }: Embedding, { bits, rows, scales, zeros }: BlockTable): Matrix => ({ shape: { n: vocabulary, k: size, bits, blockSize: BLOCK }, tensors: [rows, scales, zeros] });
