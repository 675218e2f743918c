/** The inputs of a decoder that are not keys and values: what is in them for a run, and its dims. Pure. */
import type { HeapType } from "../backends/ort-module.ts";
import type { DecoderIo } from "./decoder-io.ts";

export interface SmallInput {
  readonly name: string;
  readonly type: Extract<HeapType, "int64" | "int32" | "bool">;
  /** Whole numbers from 0 up. `total`: tokens with the run's own. */
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
