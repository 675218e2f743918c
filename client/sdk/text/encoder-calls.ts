/**
 * Calls of one question and one answer, several of which may share a lease (`short-calls.ts`): of any task (`runTask`), by
 * named tensors (`runRaw`), and embeddings, labels and entities in shapes of their own.
 *
 * - Tokens are counted by the model's own adapter, held, and reported; where the manifest states what a run costs, that is.
 */
import type { Entity, Label } from "../../runtime/tasks/encoder/calls.ts";
import type { RawTensor } from "../../runtime/tasks/raw/tensors.ts";
import type { InputOf, OutputOf, PlainTask } from "../../runtime/tasks/registry.ts";
import { LeaseholdError } from "../../errors.ts";
import { asLeaseholdError } from "../as-error.ts";
import type { LoadedModel } from "../model-load.ts";
import { engineOf, type Engine } from "../progress.ts";
import { type CallOptions, holdFrom, type Parts } from "./hold.ts";
import { ShortCalls, type ShortLease } from "./short-calls.ts";
import { tensorTokens } from "./tensor-tokens.ts";
import { isListOf, isText } from "./values.ts";

export interface CallAccount extends Engine {
  readonly request_id: string;
  readonly lease_ids: readonly string[];
  readonly cache: "hit" | "miss";
}

export interface EmbeddingRequest {
  readonly model: string;
  readonly input: string | readonly string[];
  readonly encoding_format?: "float" | "base64";
  readonly dimensions?: number;
}

export interface EmbeddingResponse {
  readonly object: "list";
  readonly model: string;
  /** `embedding`: numbers, or the base64 of their little-endian 32-bit floats. */
  readonly data: readonly { readonly object: "embedding"; readonly index: number; readonly embedding: readonly number[] | string }[];
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
  readonly leasehold: CallAccount;
}

export interface ClassifyRequest {
  readonly model: string;
  /** Texts for a text model, pictures for an image model. */
  readonly input: string | Blob | readonly (string | Blob)[];
  /** For a zero-shot model: the labels to choose among. */
  readonly labels?: readonly string[];
  readonly hypothesis_template?: string;
  readonly multi_label?: boolean;
}

export interface TagRequest {
  readonly model: string;
  readonly input: string | readonly string[];
  readonly aggregation?: "none" | "simple";
}

export interface RunRequest {
  readonly model: string;
  readonly inputs: Readonly<Record<string, RawTensor>>;
  /** Default: all. */
  readonly outputs?: readonly string[];
}

/** A call of any task: what goes in and comes out is the task's own. */
export interface TaskRequest<Name extends PlainTask> {
  readonly model: string;
  readonly task: Name;
  readonly input: InputOf<Name>;
}

export interface TaskResponse<Name extends PlainTask> {
  readonly output: OutputOf<Name>;
  readonly usage: { readonly total_tokens: number };
  readonly leasehold: CallAccount;
}

export interface Classified {
  /** Of each input, likeliest first. */
  readonly data: readonly (readonly Label[])[];
  readonly leasehold: CallAccount;
}

export interface Tagged {
  readonly data: readonly (readonly Entity[])[];
  readonly leasehold: CallAccount;
}

export interface ImageEmbeddingRequest {
  readonly model: string;
  readonly input: Blob | readonly Blob[];
}

export interface ImageEmbeddings {
  readonly data: readonly Float32Array[];
  readonly leasehold: CallAccount;
}

interface Answer<T> {
  readonly output: T;
  readonly tokens: number;
  readonly account: CallAccount;
}

/** What is asked for, of the kinds that the call takes. */
function listOf<T>(input: T | readonly T[], isOne: (item: unknown) => boolean, what: string): readonly T[] {
  const list = (Array.isArray(input) ? input : [input]) as readonly T[];
  if (list.length === 0) throw new LeaseholdError("invalid-request", "input is empty.");
  const at = list.findIndex((item) => !isOne(item));
  if (at >= 0) throw new LeaseholdError("invalid-request", `input[${at}] is not ${what}.`);
  return list;
}

const isPicture = (item: unknown): item is Blob => item instanceof Blob;
const textsOf = (input: string | readonly string[]): readonly string[] => listOf(input, isText, "a text");
const picturesOf = (input: Blob | readonly Blob[]): readonly Blob[] => listOf(input, isPicture, "a picture");

export async function embed(parts: Parts, request: EmbeddingRequest, options: CallOptions): Promise<EmbeddingResponse> {
  const texts = textsOf(request.input);
  const { dimensions = null, encoding_format: format = "float" } = request;
  if (!["float", "base64"].includes(format)) throw new LeaseholdError("invalid-request", 'encoding_format is "float" or "base64".');
  if (dimensions !== null && !(Number.isSafeInteger(dimensions) && dimensions > 0)) throw new LeaseholdError("invalid-request", "dimensions is a whole number above 0.");
  const input = { texts, dimensions };
  const { output, tokens, account } = await call(parts, "feature-extraction", request.model, input, options);
  const isBase64 = format === "base64";
  return {
    object: "list",
    model: request.model,
    data: output.embeddings.map((embedding, index) => ({ object: "embedding", index, embedding: isBase64 ? base64(embedding) : Array.from(embedding) })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    leasehold: account,
  };
}

export async function classify(parts: Parts, { model, input, labels, ...wish }: ClassifyRequest, options: CallOptions): Promise<Classified> {
  const items = listOf<string | Blob>(input, (item) => isText(item) || isPicture(item), "a text or a picture");
  const texts = items.filter(isText);
  const images = items.filter(isPicture);
  if (texts.length > 0 && images.length > 0) throw new LeaseholdError("invalid-request", "input is texts or pictures, not both.");
  if (images.length > 0) {
    const given = { images, want: "labels" as const };
    const { output, account } = await call(parts, "image-classification", model, given, options);
    return { data: output.labels, leasehold: account };
  }
  if (labels) {
    if (!isListOf(labels, isText)) throw new LeaseholdError("invalid-request", "labels is a list of texts.");
    const given = { texts, labels, hypothesis: wish.hypothesis_template ?? "This example is {}.", isMultiLabel: wish.multi_label ?? false };
    const { output, account } = await call(parts, "zero-shot-classification", model, given, options);
    return { data: output.labels, leasehold: account };
  }
  const { output, account } = await call(parts, "text-classification", model, { texts }, options);
  return { data: output.labels, leasehold: account };
}

export async function tag(parts: Parts, { model, input, aggregation = "simple" }: TagRequest, options: CallOptions): Promise<Tagged> {
  if (!["none", "simple"].includes(aggregation)) throw new LeaseholdError("invalid-request", 'aggregation is "none" or "simple".');
  const { output, account } = await call(parts, "token-classification", model, { texts: textsOf(input), aggregation }, options);
  return { data: output.entities, leasehold: account };
}

/** Embeddings of pictures. */
export async function embedImages(parts: Parts, { model, input }: ImageEmbeddingRequest, options: CallOptions): Promise<ImageEmbeddings> {
  const { output, account } = await call(parts, "image-classification", model, { images: picturesOf(input), want: "embedding" }, options);
  return { data: output.embeddings, leasehold: account };
}

/** By named tensors: also models of other tasks, where they are one graph that keeps nothing between runs. */
export async function runRaw(parts: Parts, { model, ...given }: RunRequest, options: CallOptions): Promise<Readonly<Record<string, RawTensor>>> {
  const { output } = await call(parts, "raw", model, given, options, async ({ manifest }) => tensorTokens(manifest.usage, given.inputs));
  return output.outputs;
}

/** One call of a task, by its own input. */
export async function runTask<Name extends PlainTask>(parts: Parts, { model, task, input }: TaskRequest<Name>, options: CallOptions): Promise<TaskResponse<Name>> {
  if (!isText(task)) throw new LeaseholdError("invalid-request", "task is the name of a task.");
  if (task === "raw") throw new LeaseholdError("invalid-request", "Named tensors go by run.");
  const { output, tokens, account } = await call(parts, task, model, input, options);
  return { output, usage: { total_tokens: tokens }, leasehold: account };
}

/** The tokens of the input; null where the manifest states what a run costs. */
type Count = (loaded: LoadedModel) => Promise<number | null>;

async function call<Name extends PlainTask>(parts: Parts, task: Name, model: string, input: InputOf<Name>, options: CallOptions, count: Count = ({ runtime }) => runtime.measure(task, input, { signal: options.signal })): Promise<Answer<OutputOf<Name>>> {
  const release = parts.pool.hold(model);
  try {
    return await callHeld(parts, task, model, input, options, count);
  } finally {
    release();
  }
}

async function callHeld<Name extends PlainTask>(parts: Parts, task: Name, model: string, input: InputOf<Name>, options: CallOptions, count: Count): Promise<Answer<OutputOf<Name>>> {
  const { signal, priority } = options;
  const short = ShortCalls.of(parts.desk);
  const source = { take: short.take.bind(short), giveBack: (held: ShortLease, error: LeaseholdError) => short.giveBack(model, held, error), openOf: ({ lease }: ShortLease) => lease };
  const { lease: held, loaded, measured, release } = await holdFrom(source, parts, model, options, async (found) => {
    const counted = await count(found);
    const { usage } = found.manifest;
    if (counted === 0) throw new LeaseholdError("invalid-request", "The input is empty: there is nothing to run.");
    return { counted, tokens: usage.measure === "per-run" ? (usage.tokens ?? 0) : (counted ?? 0) };
  });
  const { lease } = held;
  const { runtime, cache } = loaded;
  let began: number | null = null;
  try {
    const output = await parts.pool.run(model, { signal, ...(priority && { priority }) }, () => {
      short.running(held, measured.tokens);
      began = performance.now();
      return runtime.run(task, input, { signal });
    });
    const latencyMs = performance.now() - (began ?? 0);
    await short.done(model, held, measured.tokens, { latencyMs, backend: runtime.backend, cache });
    return { output, tokens: measured.counted ?? measured.tokens, account: { ...engineOf(runtime), request_id: lease.requestId, lease_ids: [lease.grant.lease_id], cache } };
  } catch (thrown) {
    const error = asLeaseholdError(thrown, signal);
    await parts.loader.failed(model, loaded, error);
    await short.failed(model, held, measured.tokens, began !== null, error);
    throw error;
  } finally {
    release();
  }
}

function base64(numbers: Float32Array): string {
  const bytes = new Uint8Array(numbers.length * 4);
  const view = new DataView(bytes.buffer);
  numbers.forEach((value, at) => view.setFloat32(at * 4, value, true));
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
