/** What of a decoder's graph lies between a token and its logits, and what of it says only how much is asked for. Pure. */
import type { OnnxNode } from "../../../schema/onnx/types.ts";

type Makers = ReadonlyMap<string, OnnxNode>;

/** The first inputs alone are computed; the others say lengths. */
const COMPUTED: ReadonlyMap<string, number> = new Map([["GroupQueryAttention", 3], ["Slice", 1]]);

/** The nodes between token and logits, without those that only say lengths. */
export function onTheWay(logits: string, makers: Makers, ids: string): Set<OnnxNode> {
  const found = new Set<OnnxNode>();
  const waiting = [logits];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const node = makers.get(name);
    if (!node || found.has(node)) continue;
    found.add(node);
    if (!node.inputs.includes(ids)) waiting.push(...node.inputs.slice(0, COMPUTED.get(node.opType)));
  }
  return found;
}

/** From here on an end is that of whatever there is. */
const FAR = 2 ** 31 - 1;
/** Rows are before the last axis, behind the batch. */
const ROW_AXES: ReadonlySet<number | undefined> = new Set([1, -2]);

/**
 * Whether a slice leaves the last rows, as many as the input says: so the last of all stays, which logits are of.
 * `places`: of constants that are one number.
 */
export function keepsLast({ inputs: [, from = "", to = "", axis = "", step = ""] }: OnnxNode, makers: Makers, logitsToKeep: string | null, places: ReadonlyMap<string, number>): boolean {
  return isLessOf(from, makers, logitsToKeep) && (places.get(to) ?? 0) >= FAR && ROW_AXES.has(places.get(axis)) && (step === "" || places.get(step) === 1);
}

/** What has another shape, or another type of whole numbers, and the same number in it. */
const SAME_NUMBER: ReadonlySet<string> = new Set(["Unsqueeze", "Reshape", "Cast", "Identity"]);

/** Whether it is that input, less than nothing. */
function isLessOf(name: string, makers: Makers, input: string | null): boolean {
  let isLess = false;
  for (let at = name; at !== input; ) {
    const { opType = "", inputs: [first = ""] = [] } = makers.get(at) ?? {};
    if (opType === "Neg" ? isLess : !SAME_NUMBER.has(opType)) return false;
    isLess ||= opType === "Neg";
    at = first;
  }
  return isLess;
}
