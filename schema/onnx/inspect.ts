/**
 * Judges an ONNX model before it is published, and again before it is run. The structure is read, no weight is.
 *
 * - Bytes are hostile: whatever they say, this ends, with `null` or the first refusal found. Only the source may throw.
 * - `external`: the files that the model may name as its external data, by their names beside it, with their sizes.
 * - Control flow (`Loop`, `Scan`, `If`) is refused unless it is allowed, and nested deeper than `depth` in any case:
 *   a `Loop` can run for ever, and nothing in the file says how long.
 */
import { OnnxError } from "./error.ts";
import { readOnnx } from "./read.ts";
import type { ByteSource } from "./source.ts";
import { type OnnxAttribute, type OnnxGraph, type OnnxModel, type OnnxNode, type OnnxTensor, tensorBytes } from "./types.ts";

export const MODEL_FAULTS = {
  "model-unreadable": "The file is not an ONNX model, or is cut off.",
  "model-too-complex": "The model has more structure than is let through.",
  "model-external-path": "The model names external data outside of its own files.",
  "model-external-range": "The model's external data lie beyond the end of their file.",
  "model-dims-invalid": "A tensor's dims are negative, or more than can be counted.",
  "model-size-mismatch": "A tensor does not have as many bytes as its dims and type say.",
  "model-control-flow": "The model has control flow, which is not allowed, or nests it too deep.",
} as const satisfies Record<string, string>;
export type ModelFault = keyof typeof MODEL_FAULTS;

export interface ModelRefusal {
  readonly code: ModelFault;
  /** Where; of the file's own words at most a few, printable. */
  readonly detail: string;
}

export interface InspectLimits {
  readonly allowControlFlow: boolean;
  /** Subgraphs within subgraphs. */
  readonly depth: number;
  /** Of all graphs and functions together. */
  readonly nodes: number;
  readonly tensors: number;
  /** Of one tensor. */
  readonly tensorBytes: number;
}

export const INSPECT_LIMITS: InspectLimits = { allowControlFlow: false, depth: 4, nodes: 200_000, tensors: 200_000, tensorBytes: 4 * 1024 ** 3 };

const READ = { depth: 24, fields: 4_000_000, keptBytes: 64 * 1024 * 1024 };
const CONTROL_FLOW: ReadonlySet<string> = new Set(["Loop", "Scan", "If", "SequenceMap"]);

class Refused extends Error {
  readonly refusal: ModelRefusal;

  constructor(code: ModelFault, detail: string) {
    super(code);
    this.refusal = { code, detail };
  }
}

export async function inspectOnnx(source: ByteSource, external: ReadonlyMap<string, number>, limits: InspectLimits = INSPECT_LIMITS): Promise<ModelRefusal | null> {
  let model: OnnxModel;
  try {
    model = await readOnnx(source, READ);
  } catch (cause) {
    if (!(cause instanceof OnnxError)) throw cause;
    const isLimit = cause.code === "too-deep" || cause.code === "too-many" || cause.code === "too-large";
    return { code: isLimit ? "model-too-complex" : "model-unreadable", detail: shown(cause.message, 200) };
  }
  try {
    new Inspection(external, limits).model(model);
    return null;
  } catch (cause) {
    if (cause instanceof Refused) return cause.refusal;
    throw cause;
  }
}

class Inspection {
  readonly #external: ReadonlyMap<string, number>;
  readonly #limits: InspectLimits;
  #nodes = 0;
  #tensors = 0;

  constructor(external: ReadonlyMap<string, number>, limits: InspectLimits) {
    this.#external = external;
    this.#limits = limits;
  }

  model({ graph, functions }: OnnxModel): void {
    this.#graph(graph, 0);
    for (const one of functions) for (const node of one.nodes) this.#node(node, 0);
  }

  #graph(graph: OnnxGraph, depth: number): void {
    if (depth > this.#limits.depth) throw new Refused("model-control-flow", `Graphs are nested deeper than ${this.#limits.depth}.`);
    for (const tensor of graph.initializers) this.#tensor(tensor);
    for (const { name, tensor } of [...graph.inputs, ...graph.outputs]) {
      const sizes = tensor?.shape?.filter((size) => typeof size === "number") ?? [];
      if (!isCountable(sizes)) throw new Refused("model-dims-invalid", `The dims of ${quoted(name)} are more than can be counted.`);
    }
    for (const node of graph.nodes) this.#node(node, depth);
  }

  #node(node: OnnxNode, depth: number): void {
    if (++this.#nodes > this.#limits.nodes) throw new Refused("model-too-complex", `The model has more than ${this.#limits.nodes} nodes.`);
    const isFlow = CONTROL_FLOW.has(node.opType) || node.attributes.some(({ g, graphs }) => g !== undefined || graphs !== undefined);
    if (isFlow && !this.#limits.allowControlFlow) throw new Refused("model-control-flow", `The node ${quoted(node.name)} is a ${quoted(node.opType)}. The operator may allow control flow.`);
    for (const attribute of node.attributes) this.#attribute(attribute, depth);
  }

  #attribute({ t, g, tensors = [], graphs = [] }: OnnxAttribute, depth: number): void {
    for (const tensor of t ? [t, ...tensors] : tensors) this.#tensor(tensor);
    for (const graph of g ? [g, ...graphs] : graphs) this.#graph(graph, depth + 1);
  }

  #tensor(tensor: OnnxTensor): void {
    if (++this.#tensors > this.#limits.tensors) throw new Refused("model-too-complex", `The model has more than ${this.#limits.tensors} tensors.`);
    const { name, dims, data } = tensor;
    if (!isCountable(dims)) throw new Refused("model-dims-invalid", `The dims of ${quoted(name)} are negative, or more than can be counted.`);
    const bytes = tensorBytes(tensor);
    if (bytes !== null && bytes > this.#limits.tensorBytes) throw new Refused("model-dims-invalid", `${quoted(name)} has ${bytes} bytes.`);
    if (data.kind === "raw" && bytes !== null && data.bytes.length !== bytes) throw new Refused("model-size-mismatch", `${quoted(name)} should have ${bytes} bytes, and has ${data.bytes.length}.`);
    if (data.kind === "external") this.#externalData(name, data.location, data.offset, data.length ?? bytes ?? 0, bytes);
  }

  #externalData(name: string, location: string, offset: number, length: number, bytes: number | null): void {
    const size = this.#external.get(location);
    if (size === undefined) throw new Refused("model-external-path", `${quoted(name)} lies in ${quoted(location)}, which is no external data file of this model.`);
    if (offset + length > size) throw new Refused("model-external-range", `${quoted(name)} lies beyond the end of ${quoted(location)}.`);
    if (bytes !== null && length !== bytes) throw new Refused("model-size-mismatch", `${quoted(name)} should have ${bytes} bytes, and has ${length}.`);
  }
}

const MAX_RANK = 64;

function isCountable(dims: readonly number[]): boolean {
  let product = 1;
  for (const size of dims) {
    if (!Number.isSafeInteger(size) || size < 0) return false;
    product *= Math.max(1, size); // a zero may not hide what the others come to
    if (product > Number.MAX_SAFE_INTEGER) return false;
  }
  return dims.length <= MAX_RANK;
}

const shown = (text: string, most: number): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, most);
const quoted = (name: string): string => `"${shown(name, 60)}"`;
