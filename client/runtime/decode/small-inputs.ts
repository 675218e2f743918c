/** The inputs of a decoder that are not keys and values: what is in them for a run, and its dims. Pure. */
import type { HeapType } from "../backends/ort-module.ts";
import { PIECE_INPUTS, type PieceShape } from "../graph/attend-pieces.ts";
import type { DecoderIo } from "./decoder-io.ts";

export interface SmallInput {
  readonly name: string;
  readonly type: Extract<HeapType, "int64" | "int32" | "bool" | "float32">;
  /** Whole numbers from 0 up, but for float32. `total`: tokens with the run's own. */
  readonly values: (total: number, ids: Int32Array) => ArrayLike<number>;
  readonly dims: (total: number, count: number) => number[];
}

export function smallInputs({ ids, mask, positions, logitsToKeep, useCache, idType }: DecoderIo): SmallInput[] {
  const perToken = (_: number, count: number) => [1, count];
  const inputs: SmallInput[] = [{ name: ids, type: idType, values: (_, tokens) => tokens, dims: perToken }];
  if (mask !== null) inputs.push({ name: mask, type: idType, values: (total) => new Uint8Array(total).fill(1), dims: (total) => [1, total] });
  if (positions !== null) inputs.push({ name: positions, type: idType, values: (total, { length }) => Int32Array.from({ length }, (_, at) => total - length + at), dims: perToken });
  if (logitsToKeep !== null) inputs.push({ name: logitsToKeep, type: "int64", values: () => [1], dims: () => [] });
  if (useCache !== null) inputs.push({ name: useCache, type: "bool", values: () => [1], dims: () => [1] });
  return inputs;
}

/** What `attendPieces` asks for. A single token's attention looks at none of it but the first. */
export function pieceInputs({ kvHeads, group }: PieceShape): SmallInput[] {
  const tokensOf = (count: number) => (count > 1 ? count : 0);
  return [
    { name: PIECE_INPUTS.isPiece, type: "bool", values: (_, { length }) => [length > 1 ? 1 : 0], dims: () => [] },
    { name: PIECE_INPUTS.past, type: "int64", values: (total, { length }) => [total - length], dims: () => [1] },
    { name: PIECE_INPUTS.total, type: "int64", values: (total) => [total], dims: () => [1] },
    { name: PIECE_INPUTS.places, type: "int64", values: (total, { length }) => placesOf(kvHeads, total, tokensOf(length)), dims: (_, count) => [1, kvHeads, tokensOf(count), 3] },
    { name: PIECE_INPUTS.mask, type: "float32", values: (total, { length }) => maskOf(group, total, tokensOf(length)), dims: (total, count) => [group * tokensOf(count), total] },
  ];
}

/** Batch, head and token of each new key. */
function placesOf(kvHeads: number, total: number, count: number): Int32Array {
  const places = new Int32Array(3 * kvHeads * count);
  for (let head = 0; head < kvHeads; head++) {
    for (let token = 0; token < count; token++) {
      const at = 3 * (head * count + token);
      places[at + 1] = head;
      places[at + 2] = total - count + token;
    }
  }
  return places;
}

/** Each token sees itself and what stands before it; the same rows once for each query head of a group. */
function maskOf(group: number, total: number, count: number): Float32Array {
  const mask = new Float32Array(group * count * total);
  for (let row = 0; row < group * count; row++) mask.fill(-Infinity, row * total + (total - count + (row % count)) + 1, (row + 1) * total);
  return mask;
}
