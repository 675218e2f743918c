/**
 * Lets a grouped-attention decoder run on keys and values of one fixed size, with the count of tokens as an input. Pure.
 *
 * - Why: a recorded run on a GPU is played back with the same shapes, and a mask grows with each token. GroupQueryAttention
 *   takes from the mask no more than two numbers, each an input of one int32 from here on: the tokens before the last
 *   (`SEQUENCE_LENGTH`), and the room that there is (`CAPACITY`).
 * - `null` where the mask is used for anything else.
 */
import { ELEMENT, type OnnxModel, type OnnxNode } from "../../../schema/onnx/types.ts";
import { namesRead, pruneInitializers } from "./prune.ts";
import { NO_REST } from "./tensors.ts";

export const SEQUENCE_LENGTH = "leasehold/seqlens-k";
export const CAPACITY = "leasehold/capacity";
/** Of GroupQueryAttention's inputs. */
const SEQLENS_AT = 5;
const TOTAL_AT = 6;

export function withStaticPositions(model: OnnxModel, mask: string): OnnxModel | null {
  const { graph } = model;
  const nodes = liveNodes(
    graph.nodes.map((node): OnnxNode => (node.opType === "GroupQueryAttention" ? { ...node, inputs: node.inputs.map((name, at) => (at === SEQLENS_AT ? SEQUENCE_LENGTH : at === TOTAL_AT ? CAPACITY : name)) } : node)),
    graph.outputs.map(({ name }) => name),
  );
  const inputs = [...graph.inputs.filter(({ name }) => name !== mask), ...[SEQUENCE_LENGTH, CAPACITY].map((name) => ({ name, tensor: { elementType: ELEMENT.int32, shape: [1] }, rest: NO_REST }))];
  const rewritten = { ...model, graph: { ...graph, nodes, inputs, valueInfos: [] } };
  return namesRead(rewritten.graph).includes(mask) ? null : pruneInitializers(rewritten);
}

/** Those that lead to an output. */
function liveNodes(nodes: readonly OnnxNode[], outputs: readonly string[]): OnnxNode[] {
  const wanted = new Set(outputs);
  const live = new Set<OnnxNode>();
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    live.add(node);
    for (const name of namesRead({ name: "", nodes: [node], initializers: [], inputs: [], outputs: [], valueInfos: [], rest: NO_REST })) wanted.add(name);
  }
  return nodes.filter((node) => live.has(node));
}
