/**
 * How long the rows are that a graph's reshapes make, where a constant says it. They stand among the weights of a file,
 * and are read here so that a plan can be made without it.
 */
import { ELEMENT, type OnnxGraph } from "../../../schema/onnx/types.ts";
import type { ModelSource } from "../graph/model-source.ts";
import { plainElements } from "../graph/tensors.ts";

/** By the name of the shape: its last size. Left out: what is no constant, or to be worked out (−1). */
export type ReshapeRows = ReadonlyMap<string, number>;

const INT64_BYTES = 8;

export async function readReshapeRows({ nodes, initializers }: OnnxGraph, source: Pick<ModelSource, "part">): Promise<ReshapeRows> {
  const shapes = new Set(nodes.filter(({ opType }) => opType === "Reshape").map(({ inputs }) => inputs[1] ?? ""));
  const rows = new Map<string, number>();
  for (const tensor of initializers) {
    const payload = shapes.has(tensor.name) && tensor.dataType === ELEMENT.int64 ? plainElements(tensor) : null;
    if (!payload || payload.length < INT64_BYTES) continue;
    const last = await source.part(payload, payload.length - INT64_BYTES, INT64_BYTES);
    const size = Number(new DataView(last.buffer, last.byteOffset, INT64_BYTES).getBigInt64(0, true));
    if (size > 0) rows.set(tensor.name, size);
  }
  return rows;
}
