/**
 * Logits of the last position only. Pure.
 *
 * - Why: a prefill of s tokens else multiplies s rows with the largest matrix of the model, and makes s × vocabulary
 *   floats, of which one row is looked at.
 * - The row is picked before the last matrix product. What stands between that and `logits` (casts, scaling, a cap by
 *   tanh) works on rows one by one, with nothing beside them but constants; where anything else does, the row is picked
 *   at the end.
 */
import type { OnnxGraph, OnnxModel, OnnxNode } from "../../../schema/onnx/types.ts";
import { int64Tensor, intAttribute, nodeOf } from "./tensors.ts";

const PRODUCTS: ReadonlySet<string> = new Set(["MatMul", "MatMulNBits", "DynamicQuantizeMatMul", "MatMulInteger"]);
/** Element by element, their first input the one that has rows. */
const ROW_BY_ROW: ReadonlySet<string> = new Set(["Cast", "Mul", "Div", "Tanh", "Add", "Identity"]);

const LAST = "leasehold/last";
const INDEX = "leasehold/last-index";

export function lastPositionOnly(model: OnnxModel, logits: string): OnnxModel {
  const { graph } = model;
  const at = pickBefore(graph, logits);
  const pick = (from: string, to: string): OnnxNode => nodeOf("Gather", LAST, [from, INDEX], [to], [intAttribute("axis", 1)]);
  const nodes = graph.nodes.flatMap((node): OnnxNode[] => {
    if (node === at) return [pick(node.inputs[0] ?? "", LAST), { ...node, inputs: [LAST, ...node.inputs.slice(1)] }];
    if (at || !node.outputs.includes(logits)) return [node];
    return [{ ...node, outputs: node.outputs.map((name) => (name === logits ? LAST : name)) }, pick(LAST, logits)];
  });
  return { ...model, graph: { ...graph, valueInfos: [], nodes, initializers: [...graph.initializers, int64Tensor(INDEX, [-1])], outputs: graph.outputs.map((value) => (value.name === logits ? withoutShape(value) : value)) } };
}

const withoutShape = ({ name, tensor, rest }: OnnxModel["graph"]["outputs"][number]) => ({ name, rest, ...(tensor ? { tensor: { ...tensor, shape: null } } : {}) });

/** The product that makes the logits; `null` where what lies between isn't row by row. */
function pickBefore({ nodes, initializers }: OnnxGraph, logits: string): OnnxNode | null {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  const constants = new Set([...initializers.map(({ name }) => name), ...nodes.filter(({ opType }) => opType === "Constant").flatMap(({ outputs }) => outputs)]);
  let node = makers.get(logits);
  while (node && ROW_BY_ROW.has(node.opType) && node.inputs.slice(1).every((name) => constants.has(name))) node = makers.get(node.inputs[0] ?? "");
  return node && PRODUCTS.has(node.opType) && node.opType !== "MatMulInteger" ? node : null;
}
