/**
 * What a graph's small constants say that a plan goes by: how long the rows are that reshapes make, what a factor is,
 * what is cut out. They stand among the weights of a file, or in nodes of their own, and are read here so that a plan
 * can be made without either.
 */
import { ELEMENT, elementCount, type OnnxGraph, type OnnxTensor } from "../../../schema/onnx/types.ts";
import type { ModelSource } from "../graph/model-source.ts";
import { plainElements } from "../graph/tensors.ts";

/** By the name of the constant. */
export interface PlanConstants {
  /** Of a shape, its last size. Left out: what is to be worked out (−1). */
  readonly rows: ReadonlyMap<string, number>;
  /** Of factors that are one number. */
  readonly factors: ReadonlyMap<string, number>;
  /** Of a slice's places, where they are one number. */
  readonly places: ReadonlyMap<string, number>;
}

export const NO_CONSTANTS: PlanConstants = { rows: new Map(), factors: new Map(), places: new Map() };

/** Nodes that are nothing but a constant, as constants. */
export function withConstants(graph: OnnxGraph): OnnxGraph {
  const lifted = new Map(
    graph.nodes.flatMap((node) => {
      const tensor = node.opType === "Constant" && node.domain === "" ? node.attributes.find(({ name }) => name === "value")?.t : undefined;
      return tensor ? [[node, { ...tensor, name: node.outputs[0] ?? "" }] as const] : [];
    }),
  );
  return { ...graph, nodes: graph.nodes.filter((node) => !lifted.has(node)), initializers: [...graph.initializers, ...lifted.values()] };
}

const INT64_BYTES = 8;
const FLOAT_BYTES = 4;

export async function readPlanConstants(given: OnnxGraph, source: Pick<ModelSource, "part">): Promise<PlanConstants> {
  const { nodes, initializers } = withConstants(given);
  const inputsOf = (opType: string, from: number): ReadonlySet<string> => new Set(nodes.filter((node) => node.opType === opType).flatMap(({ inputs }) => inputs.slice(from)));
  const [shapes, factorNames, placeNames] = [inputsOf("Reshape", 1), inputsOf("Mul", 0), inputsOf("Slice", 1)];
  const [rows, factors, places] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
  for (const tensor of initializers) {
    const { name, dataType } = tensor;
    if (dataType === ELEMENT.float && factorNames.has(name) && elementCount(tensor.dims) === 1) {
      const bytes = await lastOf(tensor, FLOAT_BYTES, source);
      if (bytes) factors.set(name, bytes.getFloat32(0, true));
    }
    if (dataType !== ELEMENT.int64 || !(shapes.has(name) || placeNames.has(name))) continue;
    const bytes = await lastOf(tensor, INT64_BYTES, source);
    const last = Number(bytes?.getBigInt64(0, true));
    if (shapes.has(name) && last > 0) rows.set(name, last);
    if (placeNames.has(name) && bytes && elementCount(tensor.dims) === 1) places.set(name, last);
  }
  return { rows, factors, places };
}

/** A constant's last number, where it lies plain. */
async function lastOf(tensor: OnnxTensor, size: number, source: Pick<ModelSource, "part">): Promise<DataView | null> {
  const payload = plainElements(tensor);
  if (!payload || payload.length < size) return null;
  const bytes = await source.part(payload, payload.length - size, size);
  return new DataView(bytes.buffer, bytes.byteOffset, size);
}
