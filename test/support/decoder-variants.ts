/**
 * Decoders that look like `blockDecoder`, each with one thing that real ones have and that changes what is computed:
 * whoever knows the graph only by its operators computes something else, and says nothing of it.
 *
 * - `onKernels`: whether our own kernels take it. What they don't is left to onnxruntime.
 */
import { intAttribute, int64Tensor, nodeOf, tensorOf } from "../../client/runtime/graph/tensors.ts";
import { ELEMENT, type OnnxAttribute, type OnnxModel, type OnnxNode, type OnnxTensor } from "../../schema/onnx/types.ts";
import { BLOCK_DECODER_CONFIG, blockDecoder } from "./block-decoder.ts";

export interface Variant {
  readonly name: string;
  readonly model: OnnxModel;
  readonly onKernels: boolean;
}

const { vocab_size: VOCABULARY, max_position_embeddings: CONTEXT } = BLOCK_DECODER_CONFIG;
const NOTHING = new Uint8Array(0);
const HIDDEN = 64;
const QUERIES = 64;
const HEAD = 16;

const float = (name: string, f: number): OnnxAttribute => ({ name, type: 1, f, rest: NOTHING });
const numbers = (count: number, of: (at: number) => number): Float32Array => Float32Array.from({ length: count }, (_, at) => of(at));
const floats = (name: string, dims: readonly number[], values: Float32Array): OnnxTensor => tensorOf(name, ELEMENT.float, dims, new Uint8Array(values.buffer));
/** Something between −1 and 1 that repeats late. */
const wave = (at: number): number => Math.sin(at * 12.9898 + 1);

type Change = (node: OnnxNode) => OnnxNode | readonly OnnxNode[];
const changed = (model: OnnxModel, change: Change, more: readonly OnnxTensor[] = []): OnnxModel => ({
  ...model,
  graph: { ...model.graph, nodes: model.graph.nodes.flatMap(change), initializers: [...model.graph.initializers, ...more] },
});
/** Each attention gets these attributes. */
const attending = (...attributes: readonly OnnxAttribute[]): OnnxModel =>
  changed(blockDecoder(), (node) => (node.opType === "GroupQueryAttention" ? { ...node, attributes: [...node.attributes, ...attributes] } : node));
/** What makes a value gives it another name, and these nodes come after it. */
const after = (model: OnnxModel, value: string, nodes: (from: string) => readonly OnnxNode[], more: readonly OnnxTensor[] = []): OnnxModel =>
  changed(model, (node) => (node.outputs.includes(value) ? [{ ...node, outputs: node.outputs.map((name) => (name === value ? `${value}/raw` : name)), name: `${value}/raw` }, ...nodes(`${value}/raw`)] : node), more);

/** Of the first attention, an input at its place. */
const attendingTo = (place: number, tensor: OnnxTensor): OnnxModel =>
  changed(blockDecoder(), (node) => (node.outputs.includes("attended0") ? { ...node, inputs: Array.from({ length: place + 1 }, (_, at) => (at === place ? tensor.name : (node.inputs[at] ?? ""))) } : node), [tensor]);

function withoutRotation(): OnnxModel {
  return changed(blockDecoder(), (node) => (node.opType === "GroupQueryAttention" ? { ...node, inputs: node.inputs.slice(0, 7), attributes: node.attributes.filter(({ name }) => name !== "do_rotary") } : node));
}

/** Half of each head is rotated, as Phi does. */
function rotatedInPart(): OnnxModel {
  const table = (name: string, of: (angle: number) => number) => floats(name, [CONTEXT, 8], numbers(CONTEXT * 8, (at) => of(Math.floor(at / 8) / 3 ** (at % 8))));
  const model = blockDecoder({ heads: 2, kvHeads: 1, headSize: 32 });
  return { ...model, graph: { ...model.graph, initializers: [...model.graph.initializers.filter(({ name }) => name !== "cos" && name !== "sin"), table("cos", Math.cos), table("sin", Math.sin)] } };
}

/** Queries and keys brought to one length head by head before they are turned, as Qwen3 does. */
function normedHeads(apart?: readonly number[], row = HEAD): OnnxModel {
  const shape = (name: string, heads: number) => int64Tensor(`${name}-heads`, apart ?? [1, -1, heads, HEAD]);
  const weights = floats("head-norm", [row], numbers(row, (at) => 1 + wave(at) / 4));
  let model = blockDecoder({ isSplit: true });
  for (const layer of [0, 1]) {
    for (const name of ["q", "k"]) {
      const own = `${name}${layer}`;
      model = after(model, own, (from) => [
        nodeOf("Reshape", `${own}/apart`, [from, `${name}-heads`], [`${own}/apart`]),
        nodeOf("SimplifiedLayerNormalization", `${own}/normed`, [`${own}/apart`, "head-norm"], [`${own}/normed`], [intAttribute("axis", -1), float("epsilon", 1e-6)]),
        nodeOf("Reshape", own, [`${own}/normed`, `${name}-joined`], [own]),
      ]);
    }
  }
  const more = [weights, shape("q", 4), shape("k", 2), int64Tensor("q-joined", [1, -1, QUERIES]), int64Tensor("k-joined", [1, -1, QUERIES / 2])];
  return { ...model, graph: { ...model.graph, initializers: [...model.graph.initializers, ...more] } };
}

const scaledEmbeddings = (): OnnxModel => after(blockDecoder(), "x0", (from) => [nodeOf("Mul", "scaled", [from, "root"], ["x0"])], [floats("root", [], Float32Array.of(8))]);

const scaledInPart = (): OnnxModel => after(blockDecoder(), "x0", (from) => [nodeOf("Mul", "scaled", [from, "roots"], ["x0"])], [floats("roots", [HIDDEN], numbers(HIDDEN, wave))]);

/** In place of the gate's sigmoid and the product with it. */
const gelu = (attributes: readonly OnnxAttribute[], opType = "Gelu", domain = "", model = blockDecoder()): OnnxModel =>
  changed(model, (node) => {
    const gate = node.opType === "Mul" && node.inputs[1]?.startsWith("sigmoid") ? (node.inputs[0] ?? "") : null;
    return node.opType === "Sigmoid" ? [] : gate === null ? node : nodeOf(opType, node.name, [gate], node.outputs, attributes, domain);
  });

/** Constants as nodes, as the builder of onnxruntime-genai has them. */
const constant = (tensor: OnnxTensor): OnnxNode => nodeOf("Constant", `${tensor.name}/node`, [], [tensor.name], [{ name: "value", type: 4, t: tensor, rest: NOTHING }]);

/** Scaled embeddings, Gelu, heads brought to one length, what attention and the inner product give too; a window in one layer, and angles of its own. */
function asGemma3(): OnnxModel {
  const tanh = { name: "approximate", type: 3, s: new TextEncoder().encode("tanh"), rest: NOTHING };
  const angles = (name: string, of: (angle: number) => number) => floats(name, [CONTEXT, HEAD / 2], numbers(CONTEXT * (HEAD / 2), (at) => of(Math.floor(at / (HEAD / 2)) / 30 ** (at % (HEAD / 2)))));
  const own = (node: OnnxNode): OnnxNode => {
    const inputs = node.inputs.map((name) => (name === "cos" || name === "sin" ? `${name}-near` : name));
    return node.outputs.includes("attended0") ? { ...node, inputs, attributes: [...node.attributes, intAttribute("local_window_size", 24)] } : node;
  };
  let model = changed(gelu([tanh], "Gelu", "", normedHeads([0, -1, HEAD])), own, [angles("cos-near", Math.cos), angles("sin-near", Math.sin), floats("after-norm", [HIDDEN], numbers(HIDDEN, (at) => 1 + wave(at) / 3))]);
  for (const value of ["o0", "down0", "o1", "down1"]) {
    model = after(model, value, (from) => [nodeOf("SimplifiedLayerNormalization", `${value}/after`, [from, "after-norm"], [value], [intAttribute("axis", -1), float("epsilon", 1e-6)])]);
  }
  model = after(model, "x0", (from) => [nodeOf("Mul", "scaled", [from, "root"], ["x0"])], [floats("root", [], Float32Array.of(8))]);
  const isLifted = ({ name }: OnnxTensor): boolean => name === "root" || name.endsWith("-heads") || name.endsWith("-joined");
  const { initializers, nodes } = model.graph;
  return { ...model, graph: { ...model.graph, initializers: initializers.filter((tensor) => !isLifted(tensor)), nodes: [...initializers.filter(isLifted).map(constant), ...nodes] } };
}

/** Embeddings in full, as most files on hubs have them. */
const wholeEmbeddings = (): OnnxModel =>
  changed(blockDecoder(), (node) => (node.opType === "GatherBlockQuantized" ? nodeOf("Gather", "embed", ["table", "input_ids"], node.outputs) : node), [floats("table", [VOCABULARY, HIDDEN], numbers(VOCABULARY * HIDDEN, wave))]);

/** Embeddings of 4 bits; zero points for each block where they are stated. */
const smallEmbeddings = (hasZeros: boolean): OnnxModel =>
  changed(
    blockDecoder(),
    (node) => (node.opType === "GatherBlockQuantized" ? { ...node, inputs: ["small", "input_ids", "head.s", ...(hasZeros ? ["small.z"] : [])], attributes: node.attributes.map((attribute) => (attribute.name === "bits" ? intAttribute("bits", 4) : attribute)) } : node),
    [
      tensorOf("small", ELEMENT.uint8, [VOCABULARY, HIDDEN / 2], Uint8Array.from({ length: (VOCABULARY * HIDDEN) / 2 }, (_, at) => (at * 73 + (at >> 5) * 29) & 255)),
      tensorOf("small.z", ELEMENT.uint8, [VOCABULARY, 1], Uint8Array.from({ length: VOCABULARY }, (_, at) => (at * 37) & 255)),
    ],
  );

/** Embeddings, what goes back into the sum, scores and logits, each by a factor. */
function asGranite(): OnnxModel {
  let model = attending(float("scale", 0.2));
  const factors = { x0: 6, o0: 0.4, down0: 0.4, o1: 0.4, down1: 0.4, logits: 0.125 };
  for (const [value, factor] of Object.entries(factors)) model = after(model, value, (from) => [nodeOf("Mul", `${value}/scaled`, [from, `${value}/factor`], [value])], [floats(`${value}/factor`, [], Float32Array.of(factor))]);
  return model;
}

const cappedLogits = (): OnnxModel =>
  after(blockDecoder(), "logits", (from) => [nodeOf("Div", "down", [from, "cap"], ["down"]), nodeOf("Tanh", "bent", ["down"], ["bent"]), nodeOf("Mul", "up", ["bent", "cap"], ["logits"])], [floats("cap", [], Float32Array.of(0.5))]);

const scaledLogits = (): OnnxModel => after(blockDecoder(), "logits", (from) => [nodeOf("Mul", "scaled", ["less", from], ["logits"])], [floats("less", [1], Float32Array.of(0.25))]);

/** Logits of two heads: of both, the last row counts. */
const addedLogits = (): OnnxModel =>
  after(blockDecoder(), "logits", (from) => [nodeOf("MatMul", "other", ["n2", "other-head"], ["other"]), nodeOf("Add", "both", [from, "other"], ["logits"])], [floats("other-head", [HIDDEN, VOCABULARY], numbers(HIDDEN * VOCABULARY, wave))]);

/** One product's weights anew, in blocks of this size, or with zero points that are floats. */
function otherBlocks(blockSize: number, zeros: "none" | "floats"): OnnxModel {
  const perRow = Math.ceil(HIDDEN / blockSize);
  const more = [
    tensorOf("o.q", ELEMENT.uint8, [HIDDEN, perRow, blockSize / 2], Uint8Array.from({ length: (HIDDEN * perRow * blockSize) / 2 }, (_, at) => (at * 73) & 255)),
    floats("o.s", [HIDDEN, perRow], numbers(HIDDEN * perRow, (at) => 0.02 + 0.01 * wave(at))),
    ...(zeros === "floats" ? [floats("o.z", [HIDDEN, perRow], numbers(HIDDEN * perRow, (at) => 8 + 2.5 * wave(at)))] : []),
  ];
  return changed(blockDecoder(), (node) => (node.outputs.includes("o0") ? { ...node, inputs: ["attended0", "o.q", "o.s", ...(zeros === "floats" ? ["o.z"] : [])], attributes: node.attributes.map((attribute) => (attribute.name === "block_size" ? intAttribute("block_size", blockSize) : attribute)) } : node), more);
}

const biased = (): OnnxModel =>
  changed(blockDecoder(), (node) => (node.outputs.includes("gate0") ? { ...node, inputs: [...node.inputs.slice(0, 3), "", "", "gate-bias"] } : node), [floats("gate-bias", [96], numbers(96, wave))]);

const hinted = (): OnnxModel => changed(blockDecoder(), (node) => (node.opType === "MatMulNBits" ? { ...node, attributes: [...node.attributes, intAttribute("accuracy_level", 1)] } : node));

const input = (name: string, shape: readonly (string | number)[]): OnnxModel["graph"]["inputs"][number] => ({ name, tensor: { elementType: ELEMENT.int64, shape }, rest: NOTHING });
const withInput = (model: OnnxModel, name: string, shape: readonly (string | number)[]): OnnxModel => ({ ...model, graph: { ...model.graph, inputs: [...model.graph.inputs, input(name, shape)] } });

/** An input says how many rows get logits; 0: all. */
const keptLogits = (): OnnxModel =>
  withInput(
    changed(
      blockDecoder(),
      (node) => (node.outputs.includes("logits") ? [nodeOf("Neg", "from", ["num_logits_to_keep"], ["from"]), nodeOf("Reshape", "first", ["from", "one"], ["first"]), nodeOf("Slice", "kept", ["n2", "first", "far", "one"], ["kept"]), { ...node, inputs: ["kept", ...node.inputs.slice(1)] }] : node),
      [int64Tensor("far", [2 ** 40])],
    ),
    "num_logits_to_keep",
    [],
  );

/** Attention spelled out: positions as an input, each past joined with what is new. */
function spelledOut(): OnnxModel {
  const [heads, kvHeads] = [4, 2];
  const perm = (...order: readonly number[]): OnnxAttribute => ({ name: "perm", type: 7, ints: order.map(BigInt), rest: NOTHING });
  const shapes = [int64Tensor("parts", [QUERIES, 32, 32]), int64Tensor("by-heads", [1, -1, heads, HEAD]), int64Tensor("by-kv-heads", [1, -1, kvHeads, HEAD]), int64Tensor("groups", [1, kvHeads, -1, HEAD]), int64Tensor("score-heads", [1, heads, -1, 0]), int64Tensor("score-groups", [1, kvHeads, -1, 0]), int64Tensor("apart", [1, heads, -1, HEAD]), int64Tensor("joined", [1, -1, QUERIES]), int64Tensor("column", [-1, 1]), int64Tensor("0", [0], []), int64Tensor("1", [1], [])];
  const constants = [...shapes, floats("root", [], Float32Array.of(1 / Math.sqrt(HEAD))), floats("seen", [], Float32Array.of(0)), floats("unseen", [], Float32Array.of(-1e9))];
  const model = changed(
    blockDecoder(),
    (node) => {
      if (node.outputs.includes("mask-shape")) return node;
      if (node.outputs.includes("x0")) {
        const mask = [nodeOf("Gather", "length", ["mask-shape", "1"], ["length"], [intAttribute("axis", 0)]), nodeOf("Range", "places", ["0", "length", "1"], ["places"]), nodeOf("Reshape", "rows-at", ["position_ids", "column"], ["rows-at"]), nodeOf("GreaterOrEqual", "sees", ["rows-at", "places"], ["sees"]), nodeOf("Where", "causal", ["sees", "seen", "unseen"], ["causal"])];
        return [...mask, node];
      }
      if (node.opType !== "GroupQueryAttention") return node;
      const [joined = "", , , pastKey = "", pastValue = ""] = node.inputs;
      const [output = "", presentKey = "", presentValue = ""] = node.outputs;
      const own = (name: string): string => `${output}/${name}`;
      const step = (opType: string, to: string, inputs: readonly string[], attributes: readonly OnnxAttribute[] = [], domain = ""): OnnxNode => nodeOf(opType, to, inputs, [to], attributes, domain);
      return [
        nodeOf("Split", own("parts"), [joined, "parts"], [own("q"), own("k"), own("v")], [intAttribute("axis", -1)]),
        ...["q", "k"].map((name) => step("RotaryEmbedding", own(`${name}-turned`), [own(name), "position_ids", "cos", "sin"], [], "com.microsoft")),
        ...([["q-turned", "by-heads"], ["k-turned", "by-kv-heads"], ["v", "by-kv-heads"]] as const).flatMap(([name, shape]) => [step("Reshape", own(`${name}-heads`), [own(name), shape]), step("Transpose", own(`${name}-by-head`), [own(`${name}-heads`)], [perm(0, 2, 1, 3)])]),
        step("Concat", presentKey, [pastKey, own("k-turned-by-head")], [intAttribute("axis", 2)]),
        step("Concat", presentValue, [pastValue, own("v-by-head")], [intAttribute("axis", 2)]),
        step("Reshape", own("queries"), [own("q-turned-by-head"), "groups"]),
        step("Transpose", own("keys"), [presentKey], [perm(0, 1, 3, 2)]),
        step("MatMul", own("dots"), [own("queries"), own("keys")]),
        step("Mul", own("scaled"), [own("dots"), "root"]),
        step("Reshape", own("by-row"), [own("scaled"), "score-heads"]),
        step("Add", own("masked"), [own("by-row"), "causal"]),
        step("Softmax", own("weights"), [own("masked")], [intAttribute("axis", -1)]),
        step("Reshape", own("grouped"), [own("weights"), "score-groups"]),
        step("MatMul", own("mixed"), [own("grouped"), presentValue]),
        step("Reshape", own("mixed-heads"), [own("mixed"), "apart"]),
        step("Transpose", own("by-token"), [own("mixed-heads")], [perm(0, 2, 1, 3)]),
        step("Reshape", output, [own("by-token"), "joined"]),
      ];
    },
    constants,
  );
  return withInput(model, "position_ids", ["batch", "s"]);
}

/** `blockDecoder` with more tokens than it has. */
export function withVocabulary(vocabulary: number): OnnxModel {
  const model = blockDecoder();
  const { graph } = model;
  const table: Readonly<Record<string, OnnxTensor>> = {
    "head.q": tensorOf("head.q", ELEMENT.uint8, [vocabulary, 2, 32], Uint8Array.from({ length: vocabulary * HIDDEN }, (_, at) => (at * 73 + (at >> 6) * 29) & 255)),
    "head.s": floats("head.s", [vocabulary, 2], numbers(vocabulary * 2, (at) => 0.015 + 0.005 * wave(at))),
    "embedding-shape": int64Tensor("embedding-shape", [vocabulary, HIDDEN]),
  };
  return {
    ...model,
    graph: {
      ...graph,
      initializers: graph.initializers.map((tensor) => table[tensor.name] ?? tensor),
      nodes: graph.nodes.map((node) => (node.outputs.includes("logits") ? { ...node, attributes: node.attributes.map((attribute) => (attribute.name === "N" ? intAttribute("N", vocabulary) : attribute)) } : node)),
      outputs: graph.outputs.map((output) => (output.name === "logits" && output.tensor ? { ...output, tensor: { ...output.tensor, shape: ["batch", "s", vocabulary] } } : output)),
    },
  };
}

const isKnown = true;
const isLeft = false;
const of = (name: string, model: OnnxModel, onKernels: boolean): Variant => ({ name, model, onKernels });

export const variants = (): readonly Variant[] => [
  of("as it is", blockDecoder(), isKnown),
  of("embeddings apart from the logits, with zero points; biases", blockDecoder({ isSplit: true }), isKnown),
  of("keys and values for each query head", blockDecoder({ kvHeads: 4 }), isKnown),
  of("one head of keys and values for all six", blockDecoder({ heads: 6, kvHeads: 1 }), isKnown),
  of("ten heads to each of keys", blockDecoder({ heads: 10, kvHeads: 1 }), isKnown),
  ...[48, 80, 96, 112, 128, 256].map((headSize) => of(`heads of ${headSize}`, blockDecoder({ heads: 2, kvHeads: 1, headSize }), isKnown)),
  of("a scale of its own", attending(float("scale", 0.3)), isKnown),
  of("embeddings in full", wholeEmbeddings(), isKnown),
  of("embeddings of 4 bits", smallEmbeddings(false), isKnown),
  of("embeddings of 4 bits with zero points", smallEmbeddings(true), isLeft),
  of("no rotation", withoutRotation(), isKnown),
  of("normed heads", normedHeads(), isKnown),
  of("normed heads, all in one row of them", normedHeads([0, -1, HEAD]), isKnown),
  of("heads normed in halves", normedHeads([0, -1, HEAD / 2], HEAD / 2), isKnown),
  of("a bias in a product", biased(), isKnown),
  of("a hint of how exact to be", hinted(), isKnown),
  of("a cap on scores", attending(float("softcap", 0.5)), isLeft),
  of("a window", attending(intAttribute("local_window_size", 16)), isKnown),
  of("a window longer than the prompt", attending(intAttribute("local_window_size", 72)), isKnown),
  of("a window of keys that all heads share", changed(blockDecoder({ heads: 6, kvHeads: 1 }), (node) => (node.opType === "GroupQueryAttention" ? { ...node, attributes: [...node.attributes, intAttribute("local_window_size", 9)] } : node)), isKnown),
  of("a softmax with one more", attending(intAttribute("smooth_softmax", 1)), isLeft),
  of("a sink for each head", attendingTo(11, floats("sink", [4], Float32Array.of(1, -1, 2, 0))), isLeft),
  of("rotation of neighbours", attending(intAttribute("rotary_interleaved", 1)), isLeft),
  of("rotation of a part", rotatedInPart(), isLeft),
  of("scaled embeddings", scaledEmbeddings(), isKnown),
  of("a Gelu by tanh", gelu([{ name: "approximate", type: 3, s: new TextEncoder().encode("tanh"), rest: NOTHING }]), isKnown),
  of("a Gelu by tanh, of an older kind", gelu([], "FastGelu", "com.microsoft"), isKnown),
  of("a Gelu by the error function", gelu([]), isLeft),
  of("what Gemma 3 has", asGemma3(), isKnown),
  of("what Granite has", asGranite(), isKnown),
  of("capped logits", cappedLogits(), isLeft),
  of("scaled logits", scaledLogits(), isKnown),
  of("a factor for each number", scaledInPart(), isLeft),
  of("logits of two heads", addedLogits(), isLeft),
  of("logits for as many rows as are asked for", keptLogits(), isKnown),
  of("attention spelled out, positions as an input, and joined keys", spelledOut(), isLeft),
  of("blocks of 16", otherBlocks(16, "none"), isLeft),
  of("blocks of 64", otherBlocks(64, "none"), isLeft),
  of("blocks of 128 of which 64 are there", otherBlocks(128, "none"), isLeft),
  of("zero points that are floats", otherBlocks(32, "floats"), isLeft),
];
