/**
 * Outputs with the likeliest tokens, beside the logits. Pure.
 *
 * - Why: on WebGPU reading all logits back costs 200 to 600 KB a token; these are less than 1 KB.
 * - For a graph cut to the last position: one row of logits. The 64 likeliest, likeliest first, and the sum over all.
 */
import { ELEMENT, type OnnxModel, type OnnxValue } from "../../../schema/onnx/types.ts";
import { int64Tensor, intAttribute, nodeOf, NO_REST } from "./tensors.ts";

export const TOP_COUNT = 64;
export const TOP_OUTPUTS = { ids: "leasehold/top-ids", logits: "leasehold/top-logits", logSumExp: "leasehold/log-sum-exp" } as const;

const COUNT = "leasehold/top-count";
const AXES = "leasehold/top-axes";
/** From this version on ReduceLogSumExp takes its axes as an input. */
const AXES_AS_INPUT = 18;

export function withTopCandidates(model: OnnxModel, logits: string, elementType: number): OnnxModel {
  const { graph } = model;
  const version = model.opsets.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 0;
  const axes = version >= AXES_AS_INPUT ? { inputs: [AXES], attributes: [], tensors: [int64Tensor(AXES, [-1])] } : { inputs: [], attributes: [{ name: "axes", type: 7, ints: [-1n], rest: NO_REST }], tensors: [] };
  const value = (name: string, type: number): OnnxValue => ({ name, tensor: { elementType: type, shape: null }, rest: NO_REST });
  return {
    ...model,
    graph: {
      ...graph,
      nodes: [
        ...graph.nodes,
        nodeOf("TopK", TOP_OUTPUTS.ids, [logits, COUNT], [TOP_OUTPUTS.logits, TOP_OUTPUTS.ids], [intAttribute("axis", -1), intAttribute("largest", 1), intAttribute("sorted", 1)]),
        nodeOf("ReduceLogSumExp", TOP_OUTPUTS.logSumExp, [logits, ...axes.inputs], [TOP_OUTPUTS.logSumExp], [...axes.attributes, intAttribute("keepdims", 0)]),
      ],
      initializers: [...graph.initializers, int64Tensor(COUNT, [TOP_COUNT]), ...axes.tensors],
      outputs: [...graph.outputs, value(TOP_OUTPUTS.ids, ELEMENT.int64), value(TOP_OUTPUTS.logits, elementType), value(TOP_OUTPUTS.logSumExp, elementType)],
    },
  };
}
