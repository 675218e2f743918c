/**
 * One token's way through a decoder graph, as steps that the kernels have. Pure.
 *
 * - From the model as it came, its weights still in blocks. Anything that isn't known here, on the way from the
 *   token to the logits, and there is no plan, and why: then the session does it all.
 * - What only says how long the text is (masks, positions) is left out: the runner knows.
 */
import { ELEMENT, type OnnxGraph, type OnnxNode, type OnnxTensor } from "../../../schema/onnx/types.ts";
import { readAttention, type Attention } from "../graph/attend-pieces.ts";
import { readWeights, type Weights } from "../graph/expand-blocks.ts";
import { floatOf, intOf, plainElements, textOf } from "../graph/tensors.ts";
import { BLOCK, OUTPUTS } from "../kernels/kernels.ts";
import type { DecoderIo } from "./decoder-io.ts";
import { readTable, type Embedding } from "./embedding-table.ts";
import { withSilu } from "./fuse-silu.ts";
import { withConstants, type PlanConstants } from "./plan-constants.ts";
import { keepsLast, onTheWay } from "./token-path.ts";

/** A value of the plan, or part of one. */
export interface Operand {
  readonly name: string;
  /** In numbers. */
  readonly from: number;
}

export type TokenStep =
  | { readonly kind: "product"; readonly input: string; readonly output: string; readonly weights: Weights }
  /** Each of `parts` that a row has, by the same weights. */
  | { readonly kind: "normalize"; readonly input: string; readonly output: string; readonly weights: OnnxTensor; readonly parts: number; readonly epsilon: number }
  /** "siluMul": a · sigmoid(a) · b */
  | { readonly kind: "add" | "mul" | "siluMul"; readonly a: string; readonly b: string; readonly output: string }
  | { readonly kind: "addConstant"; readonly a: string; readonly b: OnnxTensor; readonly output: string }
  /** "gelu": as tanh has it. */
  | { readonly kind: "sigmoid" | "gelu"; readonly input: string; readonly output: string }
  | { readonly kind: "scale"; readonly input: string; readonly by: number; readonly output: string }
  | { readonly kind: "attention"; readonly attention: Attention; readonly query: Operand; readonly key: Operand; readonly value: Operand; readonly output: string; readonly pastKey: string; readonly pastValue: string; readonly cos: OnnxTensor | null; readonly sin: OnnxTensor | null };

export interface TokenPlan {
  readonly embedding: Embedding;
  readonly steps: readonly TokenStep[];
  /** How many numbers each value has. */
  readonly lengths: ReadonlyMap<string, number>;
  readonly logits: string;
  /** The most tokens that its tables have angles for. */
  readonly positions: number;
}

/** Where a node states none: onnxruntime's for either operator. */
const EPSILON = { SimplifiedLayerNormalization: 1e-5, SkipSimplifiedLayerNormalization: 1e-12 } as const;

/** Their likeliest is looked for among so many at a time. */
const LEAST_LOGITS = 8;

/** What a graph has that there is no step for. */
class NoStep extends Error {}

export type Planning = { readonly plan: TokenPlan; readonly why: null } | { readonly plan: null; readonly why: string };

/** `why`: to stand after "for". */
export function planToken(given: OnnxGraph, io: DecoderIo, constants: PlanConstants): Planning {
  if (io.attention !== "grouped") return { plan: null, why: "its attention is not grouped" };
  if (io.kvType !== "float32" || io.logitsType !== "float32") return { plan: null, why: "it is of 16 bits" };
  const graph = withConstants(given);
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== "").map((name) => [name, node])));
  const planner = new Planner(graph, io, constants, makers);
  const needed = onTheWay(io.logits, makers, io.ids);
  let at = "";
  try {
    for (const node of graph.nodes) {
      if (!needed.has(node)) continue;
      at = node.opType;
      planner.add(node);
    }
    at = "logits";
    return { plan: planner.plan(), why: null };
  } catch (error) {
    if (error instanceof NoStep) return { plan: null, why: `there is none for its ${at}` };
    throw error;
  }
}

class Planner {
  readonly #graph: OnnxGraph;
  readonly #ids: string;
  readonly #logits: string;
  readonly #logitsToKeep: string | null;
  readonly #small: PlanConstants;
  readonly #makers: ReadonlyMap<string, OnnxNode>;
  readonly #constants: ReadonlyMap<string, OnnxTensor>;
  readonly #lengths = new Map<string, number>();
  /** Values of another shape: the same numbers as those of `of`, in rows of `row`. */
  readonly #views = new Map<string, { readonly of: string; readonly row: number }>();
  readonly #steps: TokenStep[] = [];
  #embedding: Embedding | null = null;
  /** There are only the last rows of those before. */
  #isCut = false;

  constructor(graph: OnnxGraph, { ids, logits, logitsToKeep }: DecoderIo, small: PlanConstants, makers: ReadonlyMap<string, OnnxNode>) {
    this.#small = small;
    this.#makers = makers;
    this.#graph = graph;
    this.#ids = ids;
    this.#logits = logits;
    this.#logitsToKeep = logitsToKeep;
    this.#constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  }

  plan(): TokenPlan {
    const logits = this.#logits;
    if (!this.#embedding || (this.#lengths.get(logits) ?? 0) < LEAST_LOGITS) throw new NoStep();
    const tables = this.#steps.flatMap((step) => (step.kind === "attention" && step.cos && step.sin ? [step.cos, step.sin] : []));
    const positions = Math.min(...tables.map(({ dims: [rows = 0] }) => rows));
    return { embedding: this.#embedding, steps: withSilu(this.#steps, logits), lengths: this.#lengths, logits, positions };
  }

  add(given: OnnxNode): void {
    const { outputs } = given;
    const node = given.opType === "Reshape" || given.opType === "SimplifiedLayerNormalization" ? given : { ...given, inputs: given.inputs.map((name) => this.#whole(name)) };
    const [a = "", b = "", c = "", d = ""] = node.inputs;
    const [output = ""] = outputs;
    switch (node.opType) {
      case "GatherBlockQuantized":
      case "Gather":
        this.#embed(node);
        break;
      case "MatMulNBits":
        this.#multiply(node);
        break;
      case "SimplifiedLayerNormalization":
        if ((intOf(node, "axis") ?? -1) !== -1) throw new NoStep();
        this.#normalize(a, b, output, floatOf(node, "epsilon") ?? EPSILON[node.opType]);
        break;
      case "SkipSimplifiedLayerNormalization": {
        if ((outputs[1] ?? "") !== "" || (outputs[2] ?? "") !== "") throw new NoStep();
        const sum = outputs[3] || `${output}/sum`;
        this.#pair("add", a, b, d === "" ? sum : `${sum}/plain`);
        if (d !== "") this.#addConstant(`${sum}/plain`, d, sum);
        this.#normalize(sum, c, output, floatOf(node, "epsilon") ?? EPSILON[node.opType]);
        break;
      }
      case "Add":
        if (this.#constants.has(b)) this.#addConstant(a, b, output);
        else this.#pair("add", a, b, output);
        break;
      case "Mul":
        if (this.#constants.has(b)) this.#scale(a, b, output);
        else if (this.#constants.has(a)) this.#scale(b, a, output);
        else this.#pair("mul", a, b, output);
        break;
      case "Sigmoid":
        this.#steps.push({ kind: "sigmoid", input: a, output: this.#value(output, this.#length(a)) });
        break;
      case "Gelu":
      case "FastGelu":
        if (b !== "" || (node.opType === "Gelu" && textOf(node, "approximate") !== "tanh")) throw new NoStep();
        this.#steps.push({ kind: "gelu", input: a, output: this.#value(output, this.#length(a)) });
        break;
      case "Slice":
        this.#cut(node);
        break;
      case "GroupQueryAttention":
        this.#attend(node);
        break;
      case "Reshape": // of constants: `#embed` looks through it
        if (!this.#constants.has(a)) this.#reshape(a, b, output);
        break;
      default:
        throw new NoStep();
    }
  }

  #embed(node: OnnxNode): void {
    const table = this.#embedding ? null : readTable(node, this.#graph, this.#constants, this.#ids);
    if (!table) throw new NoStep();
    this.#embedding = { ...table, output: this.#value(node.outputs[0] ?? "", table.size) };
  }

  #multiply(node: OnnxNode): void {
    const [input = "", , , , , bias = ""] = node.inputs;
    const [output = ""] = node.outputs;
    const weights = readWeights(node, this.#constants);
    if (!weights || weights.shape.blockSize !== BLOCK || weights.shape.k % BLOCK !== 0 || (weights.shape.n % OUTPUTS !== 0 && output !== this.#logits) || this.#length(input) !== weights.shape.k) throw new NoStep();
    const [, , zeros] = weights.tensors;
    if (zeros && zeros.dataType !== ELEMENT.uint8) throw new NoStep();
    const product = bias === "" ? output : `${output}/product`;
    this.#steps.push({ kind: "product", input, output: this.#value(product, weights.shape.n), weights });
    if (bias !== "") this.#addConstant(product, bias, output);
  }

  /** Of a value in shorter rows (the heads of queries or keys), each of them by itself. */
  #normalize(input: string, weight: string, output: string, epsilon: number): void {
    const view = this.#views.get(input);
    const source = view?.of ?? input;
    const length = this.#length(source);
    const row = view?.row ?? length;
    this.#steps.push({ kind: "normalize", input: source, output: this.#value(output, length), weights: this.#floats(weight, row), parts: length / row, epsilon });
    if (view) this.#views.set(output, { of: output, row });
  }

  #reshape(input: string, shape: string, output: string): void {
    const of = this.#views.get(input)?.of ?? input;
    const row = this.#small.rows.get(shape) ?? 0;
    if (row < 4 || row % 4 !== 0 || this.#length(of) % row !== 0) throw new NoStep();
    this.#views.set(output, { of, row });
  }

  /** What a value in another shape is by its first name, where its rows are as long as they were. */
  #whole(name: string): string {
    const view = this.#views.get(name);
    if (!view) return name;
    if (view.row !== this.#length(view.of)) throw new NoStep();
    return view.of;
  }

  #scale(input: string, factor: string, output: string): void {
    const by = this.#small.factors.get(factor);
    if (by === undefined || (this.#constants.get(factor)?.dims.length ?? 0) > 1) throw new NoStep();
    this.#steps.push({ kind: "scale", input, by, output: this.#value(output, this.#length(input)) });
  }

  #cut(node: OnnxNode): void {
    const [input = ""] = node.inputs;
    if (!keepsLast(node, this.#makers, this.#logitsToKeep, this.#small.places)) throw new NoStep();
    this.#isCut = true;
    this.#views.set(node.outputs[0] ?? "", { of: input, row: this.#length(input) });
  }

  #pair(kind: "add" | "mul", a: string, b: string, output: string): void {
    if (this.#length(a) !== this.#length(b)) throw new NoStep();
    this.#steps.push({ kind, a, b, output: this.#value(output, this.#length(a)) });
  }

  #addConstant(a: string, b: string, output: string): void {
    this.#steps.push({ kind: "addConstant", a, b: this.#floats(b, this.#length(a)), output: this.#value(output, this.#length(a)) });
  }

  #attend(node: OnnxNode): void {
    const [query = "", key = "", value = "", pastKey = "", pastValue = "", , , cos = "", sin = ""] = node.inputs;
    const attention = readAttention(node, this.#graph);
    if (this.#isCut || !attention || attention.isInterleaved || attention.headSize % 16 !== 0) throw new NoStep();
    const { kvHeads, group, headSize, isPacked, hasRotary } = attention;
    const [heads, kvSize] = [kvHeads * group * headSize, kvHeads * headSize];
    if (this.#length(query) !== (isPacked ? heads + 2 * kvSize : heads)) throw new NoStep();
    const part = (name: string, from: number): Operand => (isPacked ? { name: query, from } : { name, from: 0 });
    const table = (name: string): OnnxTensor | null => {
      const tensor = hasRotary ? this.#constants.get(name) : null;
      if (tensor === undefined || (tensor && (tensor.dataType !== ELEMENT.float || !plainElements(tensor)))) throw new NoStep();
      return tensor;
    };
    this.#steps.push({ kind: "attention", attention, query: { name: query, from: 0 }, key: part(key, heads), value: part(value, heads + kvSize), output: this.#value(node.outputs[0] ?? "", heads), pastKey, pastValue, cos: table(cos), sin: table(sin) });
  }

  #length(name: string): number {
    const length = this.#lengths.get(name);
    if (length === undefined) throw new NoStep();
    return length;
  }

  #value(name: string, length: number): string {
    if (length % 4 !== 0 && name !== this.#logits && name !== `${this.#logits}/product`) throw new NoStep();
    this.#lengths.set(name, length);
    return name;
  }

  #floats(name: string, length: number): OnnxTensor {
    const tensor = this.#constants.get(name);
    if (tensor?.dataType !== ELEMENT.float || tensor.dims.reduce((product, dim) => product * dim, 1) !== length || !plainElements(tensor)) throw new NoStep();
    return tensor;
  }
}
