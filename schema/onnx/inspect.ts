/**
 * Judges an ONNX model before it is published, and again before it is run. The structure is read, no weight is.
 *
 * - Bytes are hostile: whatever they say, this ends, with the model or the first refusal found. Only the source may throw.
 * - `external`: the files that the model may name as its external data, by their names beside it, with their sizes.
 * - Control flow (`Loop`, `Scan`, `If`) is refused unless it is allowed, and nested deeper than `depth` in any case:
 *   a `Loop` can run for ever, and nothing in the file says how long.
 * - Weights are where the model says, as many as their dims say, so that none of them can be made of nothing. What a
 *   node makes while it runs (an `Expand` to any size) no file tells: that is for the killable worker.
 */
import { OnnxError } from "./error.ts";
import { type ModelRefusal, Refused, quoted, shown } from "./fault.ts";
import { inspectFlow } from "./inspect-graph.ts";
import { readOnnx } from "./read.ts";
import type { ByteSource } from "./source.ts";
import { ELEMENT, type OnnxAttribute, type OnnxFunction, type OnnxGraph, type OnnxModel, type OnnxNode, type OnnxTensor, type TypedField, elementCount, tensorBytes } from "./types.ts";
import { READ_LIMITS, type Spent } from "./limits.ts";

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

/** No protobuf message may be larger; what is has its weights in files beside it. */
export const MAX_ONNX_BYTES = 2 * 1024 ** 3;
/** Tied weights name the same bytes twice; thousands of tensors over the same bytes are a bomb. */
const MAX_SHARING = 4;
/** Functions of a small model may still be called often. */
const LEAST_SHARED_BYTES = 64 * 1024 ** 2;
/** onnxruntime takes a file with these letters at this place for its own format, and reads none of what is judged here. */
const OTHER_FORMAT = { at: 4, letters: "ORTM" };
const CONTROL_FLOW: ReadonlySet<string> = new Set(["Loop", "Scan", "If", "SequenceMap"]);

export type Inspected = { readonly ok: true; readonly model: OnnxModel; readonly hasControlFlow: boolean } | { readonly ok: false; readonly refusal: ModelRefusal };

const refused = (refusal: ModelRefusal): Inspected => ({ ok: false, refusal });

/** `spent`: shared by files that come together, for what reading all of them may cost, and where that rests. */
export async function inspectOnnx(source: ByteSource, external: ReadonlyMap<string, number>, limits: InspectLimits = INSPECT_LIMITS, spent?: Spent): Promise<Inspected> {
  if (source.size > MAX_ONNX_BYTES) return refused({ code: "model-too-complex", detail: `The file has ${source.size} bytes. Put the weights into external data beside it.` });
  try {
    if (await isOtherFormat(source)) throw new OnnxError("malformed", "onnxruntime would take the file for its own format");
    const model = await readOnnx(source, READ_LIMITS, spent);
    const there = sumOf(external.values());
    const inspection = new Inspection(external, limits);
    inspection.model(model, there);
    await inspectFlow(model, { nodes: limits.nodes, bytes: Math.max(LEAST_SHARED_BYTES, (source.size + there) * MAX_SHARING) }, spent?.rest);
    return { ok: true, model, hasControlFlow: inspection.hasControlFlow };
  } catch (cause) {
    if (cause instanceof Refused) return refused(cause.refusal);
    if (!(cause instanceof OnnxError)) throw cause;
    const isLimit = cause.code === "too-deep" || cause.code === "too-many" || cause.code === "too-large";
    return refused({ code: isLimit ? "model-too-complex" : "model-unreadable", detail: shown(cause.message, 200) });
  }
}

async function isOtherFormat(source: ByteSource): Promise<boolean> {
  const { at, letters } = OTHER_FORMAT;
  if (source.size < at + letters.length) return false;
  return String.fromCharCode(...(await source.read(at, letters.length))) === letters;
}

const sumOf = (sizes: Iterable<number>): number => [...sizes].reduce((sum, size) => sum + size, 0);

/** Bytes that an element takes at least, by the field that holds it, its tag aside. */
const LEAST_BYTES: Readonly<Record<TypedField, number>> = { 4: 4, 5: 1, 6: 2, 7: 1, 10: 8, 11: 1 };
/** Of these types two stand in one number. */
const HALVES: ReadonlySet<number> = new Set([ELEMENT.uint4, ELEMENT.int4, 23]);

class Inspection {
  readonly #external: ReadonlyMap<string, number>;
  readonly #limits: InspectLimits;
  #nodes = 0;
  #tensors = 0;
  #outside = 0;
  hasControlFlow = false;

  constructor(external: ReadonlyMap<string, number>, limits: InspectLimits) {
    this.#external = external;
    this.#limits = limits;
  }

  /** `there`: bytes of external data. */
  model({ graph, functions }: OnnxModel, there: number): void {
    this.#graph(graph, 0);
    for (const one of functions) this.#function(one);
    if (this.#outside > there * MAX_SHARING) throw new Refused("model-too-complex", `The tensors take ${this.#outside} bytes of external data, which have ${there}.`);
  }

  /** A graph that nodes take from their function's defaults would be counted once, and be there for each call. */
  #function({ name, nodes, defaults = [] }: OnnxFunction): void {
    for (const attribute of defaults) {
      if (attribute.g !== undefined || attribute.graphs !== undefined) throw new Refused("model-control-flow", `The function ${quoted(name)} has a graph among the defaults of its attributes.`);
      this.#attribute(attribute, 0);
    }
    for (const node of nodes) this.#node(node, 0);
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
    this.hasControlFlow ||= isFlow;
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
    const fault = data.kind === "external" ? null : faultOf(tensor, bytes);
    if (fault !== null) throw new Refused("model-size-mismatch", `${quoted(name)} ${fault}.`);
    if (data.kind === "external") this.#externalData(name, data.location, data.offset, data.length ?? bytes ?? 0, bytes);
  }

  #externalData(name: string, location: string, offset: number, length: number, bytes: number | null): void {
    const size = this.#external.get(location);
    if (size === undefined) throw new Refused("model-external-path", `${quoted(name)} lies in ${quoted(location)}, which is no external data file of this model.`);
    if (offset + length > size) throw new Refused("model-external-range", `${quoted(name)} lies beyond the end of ${quoted(location)}.`);
    if (bytes === null || length !== bytes) throw new Refused("model-size-mismatch", `${quoted(name)} should have ${bytes ?? "no"} bytes outside, and has ${length}.`);
    this.#outside += length;
  }
}

/** What is wrong with the data that stand in the model itself. */
function faultOf({ dims, dataType, data }: OnnxTensor, bytes: number | null): string | null {
  const elements = elementCount(dims);
  if (data.kind === "raw") return data.bytes.length === bytes ? null : `should have ${bytes ?? "no"} raw bytes, and has ${data.bytes.length}`;
  if (data.kind === "none") return elements === 0 ? null : `should have ${elements} elements, and has none`;
  if (data.kind !== "typed") return null;
  const least = Math.floor((elements * LEAST_BYTES[data.field]) / (HALVES.has(dataType) ? 2 : 1));
  return data.range.length >= least ? null : `should have ${elements} elements, and has ${data.range.length} bytes`;
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
