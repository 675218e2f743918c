/**
 * Grouped attention over a piece of a prompt as plain products; over one token it stays the operator. Pure.
 *
 * - Why: onnxruntime's CPU kernel of `GroupQueryAttention` takes as long for each row of a piece as for a token alone:
 *   with 1,000 tokens of context, 64 rows cost 15 times what the same sums cost as two `MatMul` and a `Softmax`.
 * - Each becomes an `If` on whether the run has more than one token. What a run has to say for that comes in as inputs
 *   (`PIECE_INPUTS`), so nothing is computed for it in the graph.
 * - New keys and values are scattered into the past's own memory, as the operator does: present and past must be one value.
 * - All or none: where one of them does more than this (windows, caps, sinks, biases, partial rotation), the model stays.
 */
import { ELEMENT, type OnnxAttribute, type OnnxGraph, type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValue } from "../../../schema/onnx/types.ts";
import { floatOf, int64Tensor, intAttribute, intOf, nodeOf, NO_REST } from "./tensors.ts";

export const PIECE_INPUTS = {
  /** bool []: more than one token. */
  isPiece: "leasehold/is-piece",
  /** int64 [1]: tokens before the run, and with it. */
  past: "leasehold/past",
  total: "leasehold/total",
  /** int64 [1, KV heads, tokens, 3]: where each new key goes. */
  places: "leasehold/places",
  /** float32 [tokens of all heads that share keys, total]: 0, or −∞ for what comes later. */
  mask: "leasehold/mask",
} as const;

/** What the inputs' sizes follow. */
export interface PieceShape {
  readonly kvHeads: number;
  /** Query heads to each of them. */
  readonly group: number;
}

export interface PieceModel {
  readonly model: OnnxModel;
  readonly shape: PieceShape;
}

export interface Attention extends PieceShape {
  readonly headSize: number;
  readonly scale: number;
  readonly hasRotary: boolean;
  readonly isInterleaved: boolean;
  readonly isPacked: boolean;
  /** How many keys a query sees, its own with them; `null`: all up to its own. */
  readonly window: number | null;
}

/** Attributes that change what is computed, and the value at which they don't. */
const NEUTRAL: ReadonlyMap<string, number> = new Map([["softcap", 0], ["smooth_softmax", 0], ["qk_output", 0], ["kv_cache_bit_width", 0]]);
const KNOWN: ReadonlySet<string> = new Set([...NEUTRAL.keys(), "local_window_size", "num_heads", "kv_num_heads", "scale", "do_rotary", "rotary_interleaved", "k_quant_type", "v_quant_type"]);
const INPUTS = 9;
const NO_WINDOW = -1;

export function attendPieces(model: OnnxModel): PieceModel | null {
  const { graph } = model;
  const read = new Map(graph.nodes.flatMap((node) => (node.opType === "GroupQueryAttention" ? [[node, readAttention(node, graph)] as const] : [])));
  const all = [...read.values()];
  const [first] = all;
  if (!first || all.some((each) => each?.kvHeads !== first.kvHeads || each.group !== first.group || each.window !== null)) return null;
  const constants = new Map<string, OnnxTensor>();
  const constant = (values: readonly number[]): string => {
    const name = `leasehold/${values.join("_")}`;
    constants.set(name, int64Tensor(name, values));
    return name;
  };
  const nodes = graph.nodes.map((node, index): OnnxNode => {
    const attention = read.get(node);
    if (!attention) return node;
    const outer = `${node.name || `attention ${index}`}/`;
    return nodeOf("If", `${outer}if`, [PIECE_INPUTS.isPiece], node.outputs, [branch("then_branch", pieceBranch(node, attention, outer, constant), node), branch("else_branch", tokenBranch(node, outer), node)]);
  });
  const { kvHeads, group } = first;
  return { model: { ...model, graph: { ...graph, valueInfos: [], nodes, inputs: [...graph.inputs, ...INPUT_VALUES], initializers: [...graph.initializers, ...constants.values()] } }, shape: { kvHeads, group } };
}

const value = (name: string, elementType: number, rank: number): OnnxValue => ({ name, tensor: { elementType, shape: Array.from({ length: rank }, (_, at) => `${name}.${at}`) }, rest: NO_REST });
const INPUT_VALUES: readonly OnnxValue[] = [
  value(PIECE_INPUTS.isPiece, ELEMENT.bool, 0),
  value(PIECE_INPUTS.past, ELEMENT.int64, 1),
  value(PIECE_INPUTS.total, ELEMENT.int64, 1),
  value(PIECE_INPUTS.places, ELEMENT.int64, 4),
  value(PIECE_INPUTS.mask, ELEMENT.float, 2),
];

interface Branch {
  readonly nodes: readonly OnnxNode[];
  readonly outputs: readonly string[];
}

const branch = (name: string, { nodes, outputs }: Branch, { name: node }: OnnxNode): OnnxAttribute => ({
  name,
  type: 5,
  g: { name: `${node}/${name}`, nodes, initializers: [], inputs: [], outputs: outputs.map((output) => ({ name: output, tensor: { elementType: ELEMENT.float, shape: null }, rest: NO_REST })), valueInfos: [], rest: NO_REST },
  rest: NO_REST,
});

function tokenBranch(node: OnnxNode, outer: string): Branch {
  const outputs = node.outputs.map((_, at) => `${outer}token-${at}`);
  return { nodes: [{ ...node, outputs }], outputs };
}

function pieceBranch(node: OnnxNode, { kvHeads, group, headSize, scale, hasRotary, isInterleaved, isPacked }: Attention, outer: string, constant: (values: readonly number[]) => string): Branch {
  const [query = "", key = "", values = "", pastKey = "", pastValue = "", , , cos = "", sin = ""] = node.inputs;
  const heads = kvHeads * group;
  const nodes: OnnxNode[] = [];
  const add = (opType: string, name: string, inputs: readonly string[], attributes: readonly OnnxAttribute[] = [], domain = ""): string => {
    nodes.push(nodeOf(opType, outer + name, inputs, [outer + name], attributes, domain));
    return outer + name;
  };
  let [q, k, v] = [query, key, values];
  if (isPacked) {
    [q, k, v] = [`${outer}q`, `${outer}k`, `${outer}v`];
    nodes.push(nodeOf("Split", `${outer}split`, [query, constant([heads * headSize, kvHeads * headSize, kvHeads * headSize])], [q, k, v], [intAttribute("axis", -1)]));
  }
  const rotate = (input: string, name: string): string =>
    hasRotary ? add("RotaryEmbedding", name, [input, PIECE_INPUTS.past, cos, sin], [intAttribute("interleaved", isInterleaved ? 1 : 0)], "com.microsoft") : input;
  const byHead = (input: string, count: number, name: string): string => add("Transpose", `${name}-by-head`, [add("Reshape", `${name}-heads`, [input, constant([1, -1, count, headSize])])], [PERM]);
  const stored = (past: string, input: string, name: string): string => add("ScatterND", `${name}-present`, [past, PIECE_INPUTS.places, byHead(input, kvHeads, name)]);
  const inUse = (present: string, name: string): string => add("Slice", `${name}-in-use`, [present, constant([0]), PIECE_INPUTS.total, constant([2])]);

  const presentKey = stored(pastKey, rotate(k, "k-rotated"), "k");
  const presentValue = stored(pastValue, v, "v");
  const queries = add("Reshape", "q-groups", [byHead(rotate(q, "q-rotated"), heads, "q"), constant([1, kvHeads, -1, headSize])]);
  const scores = add("FusedMatMul", "scores", [queries, inUse(presentKey, "k")], [intAttribute("transB", 1), { name: "alpha", type: 1, f: scale, rest: NO_REST }], "com.microsoft");
  const weights = add("Softmax", "weights", [add("Add", "masked", [scores, PIECE_INPUTS.mask])], [intAttribute("axis", -1)]);
  const mixed = add("Reshape", "mixed-heads", [add("MatMul", "mixed", [weights, inUse(presentValue, "v")]), constant([1, heads, -1, headSize])]);
  const output = add("Reshape", "output", [add("Transpose", "mixed-by-token", [mixed], [PERM]), constant([1, -1, heads * headSize])]);
  return { nodes, outputs: [output, presentKey, presentValue] };
}

/** Tokens before heads, or the other way round. */
const PERM: OnnxAttribute = { name: "perm", type: 7, ints: [0n, 2n, 1n, 3n], rest: NO_REST };

/** `null` where it does what isn't built here. */
export function readAttention(node: OnnxNode, graph: OnnxGraph): Attention | null {
  const { inputs, outputs, attributes } = node;
  if (node.domain !== "com.microsoft" || outputs.length !== 3 || outputs.includes("")) return null;
  if (inputs.slice(INPUTS).some((name) => name !== "") || inputs.slice(3, 7).includes("")) return null;
  if (attributes.some(({ name, i, f, s }) => !KNOWN.has(name) || (NEUTRAL.has(name) && Number(i ?? f ?? 0) !== NEUTRAL.get(name)) || (s !== undefined && new TextDecoder().decode(s) !== "NONE"))) return null;
  const heads = intOf(node, "num_heads") ?? 0;
  const kvHeads = intOf(node, "kv_num_heads") ?? 0;
  const [keys, values] = [inputs[3], inputs[4]].map((past) => graph.inputs.find(({ name }) => name === past)?.tensor);
  const headSize = keys?.shape?.[3];
  if (typeof headSize !== "number" || kvHeads < 1 || heads % kvHeads !== 0) return null;
  if ([keys, values].some((past) => past?.elementType !== ELEMENT.float || past.shape?.[1] !== kvHeads || past.shape[3] !== headSize)) return null;
  const hasRotary = intOf(node, "do_rotary") === 1;
  const [cos, sin] = [inputs[7], inputs[8]].map((table) => graph.initializers.find(({ name }) => name === table)?.dims);
  if (hasRotary && (cos?.[1] !== headSize / 2 || sin?.[1] !== headSize / 2 || sin[0] !== cos[0])) return null;
  const isPacked = (inputs[1] ?? "") === "" && (inputs[2] ?? "") === "";
  if (!isPacked && ((inputs[1] ?? "") === "" || (inputs[2] ?? "") === "")) return null;
  const window = intOf(node, "local_window_size") ?? NO_WINDOW;
  if (window < 1 && window !== NO_WINDOW) return null;
  return { kvHeads, group: heads / kvHeads, headSize, window: window === NO_WINDOW ? null : window, scale: floatOf(node, "scale") || 1 / Math.sqrt(headSize), hasRotary, isInterleaved: intOf(node, "rotary_interleaved") === 1, isPacked };
}
