/**
 * Moves a model's weights out of its file, so that a session takes them one at a time. Pure.
 *
 * - The model that comes out is small; its weights lie in one external file that exists only as a plan: `weights`
 *   says which bytes begin at which offset. They are made or read when they are asked for.
 * - Small constants stay inside: shape inference looks at them.
 */
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, Payload } from "../../../schema/onnx/types.ts";
import { plainElements } from "./tensors.ts";

export interface Externalized {
  readonly model: OnnxModel;
  readonly weights: ReadonlyMap<number, Payload>;
  readonly length: number;
}

const SMALL = 1024;

export function externalize(model: OnnxModel, location: string): Externalized {
  const weights = new Map<number, Payload>();
  let length = 0;
  const moveTensor = (tensor: OnnxTensor): OnnxTensor => {
    const bytes = plainElements(tensor);
    if (!bytes || bytes.length === 0 || (bytes.length < SMALL && tensor.data.kind !== "external")) return tensor;
    const offset = length;
    weights.set(offset, bytes);
    length += bytes.length;
    return { ...tensor, data: { kind: "external", location, offset, length: bytes.length } };
  };
  const moveAttribute = (attribute: OnnxAttribute): OnnxAttribute => ({
    ...attribute,
    ...(attribute.g ? { g: moveGraph(attribute.g) } : {}),
    ...(attribute.graphs ? { graphs: attribute.graphs.map(moveGraph) } : {}),
  });
  const moveNode = (node: OnnxNode): OnnxNode => (node.attributes.some(({ g, graphs }) => g ?? graphs) ? { ...node, attributes: node.attributes.map(moveAttribute) } : node);
  const moveGraph = (graph: OnnxGraph): OnnxGraph => ({ ...graph, initializers: graph.initializers.map(moveTensor), nodes: graph.nodes.map(moveNode) });
  return { model: { ...model, graph: moveGraph(model.graph) }, weights, length };
}
