/** Drops the constants that nothing reads any more. Pure. */
import type { OnnxGraph, OnnxModel } from "../../../schema/onnx/types.ts";

export function pruneInitializers(model: OnnxModel): OnnxModel {
  const used = new Set(namesRead(model.graph));
  return { ...model, graph: { ...model.graph, initializers: model.graph.initializers.filter(({ name }) => used.has(name)) } };
}

/** By the graph's own nodes, by those of the graphs inside of them, and as its outputs. */
export function namesRead(graph: OnnxGraph): string[] {
  return [
    ...graph.outputs.map(({ name }) => name),
    ...graph.nodes.flatMap((node) => [
      ...node.inputs,
      ...node.attributes.flatMap(({ g, graphs = [] }) => (g ? [g, ...graphs] : graphs).flatMap(namesRead)),
    ]),
  ];
}
