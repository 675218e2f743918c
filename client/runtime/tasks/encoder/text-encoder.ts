/**
 * A model that reads texts once: tokenizer, session, batches. What the small text tasks share.
 *
 * - A text that is too long is `context-length-exceeded`, with its place: cutting it would answer about another text.
 * - Numbers that are none are an error: the answer would be nonsense.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import { LeaseholdError } from "../../../errors.ts";
import type { OrtApi, SessionEngine } from "../../backends/engine.ts";
import type { ModelOptions } from "../../protocol.ts";
import { type Encoded, type JsonObject, loadTokenizer, readJson, type Tokenizer } from "../../tokenizer/tokenizer.ts";
import { floatsOf } from "../floats.ts";
import type { ModelFiles } from "../model-files.ts";
import { runTensors } from "../raw/run-tensors.ts";
import type { RawCall, RawResult } from "../raw/tensors.ts";
import type { Step } from "../task.ts";
import { openTrusted } from "../trusted-session.ts";
import { batchesByLength } from "./batches.ts";

export const ENCODER_FILES = ["tokenizer.json", "config.json"] as const;

/** One text's part of an output. */
export interface Row {
  readonly data: Float32Array;
  /** Without the batch: [classes], or [tokens, size]. */
  readonly dims: readonly number[];
  /** Tokens of the text; `dims` may count padding besides. */
  readonly length: number;
}

export class TextEncoder {
  readonly config: JsonObject;
  readonly tokenizer: Tokenizer;
  readonly maxLength: number;
  readonly #session: InferenceSession;
  readonly #engine: SessionEngine;
  readonly #output: string;

  constructor(parts: { engine: SessionEngine; session: InferenceSession; tokenizer: Tokenizer; config: JsonObject; maxLength: number; output: string }) {
    this.#engine = parts.engine;
    this.#session = parts.session;
    this.tokenizer = parts.tokenizer;
    this.config = parts.config;
    this.maxLength = parts.maxLength;
    this.#output = parts.output;
  }

  /** The model by its named tensors. */
  readonly tensors = (call: RawCall, step: Step): Promise<RawResult> => runTensors(this.#session, this.#engine.api, call, step);

  /** The texts' tokens. */
  count(texts: readonly string[]): number {
    return tokensOf(this.encode(texts));
  }

  encode(texts: readonly string[]): Encoded[] {
    return this.encodePairs(textsIn(texts, "texts").map((text) => [text]));
  }

  encodePairs(pairs: readonly (readonly [string, string?])[]): Encoded[] {
    return pairs.map(([text, pair], at) => {
      if (typeof text !== "string") throw new LeaseholdError("invalid-request", `Text ${at + 1} is no text.`);
      const encoded = this.tokenizer.encode(text, { pair });
      if (encoded.ids.length === 0) throw new LeaseholdError("invalid-request", `Text ${at + 1} is empty: this model has no tokens for it.`);
      if (encoded.ids.length > this.maxLength) {
        throw new LeaseholdError("context-length-exceeded", `Text ${at + 1} has ${encoded.ids.length} tokens; the model reads ${this.maxLength}. Split it.`, { limit: this.maxLength });
      }
      return encoded;
    });
  }

  /** The output of each text, in the texts' order. */
  async run(texts: readonly Encoded[], step: Step): Promise<Row[]> {
    const rows: Row[] = [];
    for (const batch of batchesByLength(texts.map(({ ids }) => ids.length))) {
      await step();
      const encoded = batch.map((index) => texts[index] as Encoded);
      const results = await this.#session.run(feedsOf(encoded, { api: this.#engine.api, inputNames: this.#session.inputNames, config: this.config }), [this.#output]);
      const output = results[this.#output];
      const data = output && floatsOf(output.type, await output.getData());
      if (!data) throw new LeaseholdError("model-invalid", `The model's output ${this.#output} is of no floats.`);
      const dims = output.dims.slice(1);
      const size = dims.reduce((product, dim) => product * dim, 1);
      batch.forEach((index, at) => {
        const part = data.slice(at * size, (at + 1) * size);
        if (!part.every(Number.isFinite)) throw new Error("the model's results are no numbers");
        rows[index] = { data: part, dims, length: (encoded[at] as Encoded).ids.length };
      });
    }
    return rows;
  }
}

/** What a call has as a list of texts, which came from outside. */
export function textsIn(value: unknown, field: string): readonly string[] {
  if (!Array.isArray(value) || !value.every((text) => typeof text === "string")) throw new LeaseholdError("invalid-request", `${field} is a list of texts.`);
  return value;
}

export const tokensOf = (texts: readonly Encoded[]): number => texts.reduce((sum, { ids }) => sum + ids.length, 0);

interface FeedsOf {
  readonly api: Pick<OrtApi, "Tensor">;
  readonly inputNames: readonly string[];
  readonly config: JsonObject;
}

function feedsOf(batch: readonly Encoded[], { api, inputNames, config }: FeedsOf): Record<string, Tensor> {
  const width = Math.max(...batch.map(({ ids }) => ids.length));
  const pad = Number(config["pad_token_id"] ?? 0);
  const tensor = (values: (text: Encoded) => readonly number[], filler: number): Tensor => {
    const flat = batch.flatMap((text) => {
      const own = values(text);
      return [...own, ...Array.from({ length: width - own.length }, () => filler)];
    });
    return new api.Tensor("int64", BigInt64Array.from(flat, BigInt), [batch.length, width]);
  };
  const known: Record<string, () => Tensor> = {
    input_ids: () => tensor(({ ids }) => ids, pad),
    attention_mask: () => tensor(({ ids }) => ids.map(() => 1), 0),
    token_type_ids: () => tensor(({ ids, typeIds }) => typeIds ?? ids.map(() => 0), 0),
    position_ids: () => tensor(({ ids }) => ids.map((_, at) => at), 0),
  };
  return Object.fromEntries(
    inputNames.map((name) => {
      const make = known[name];
      if (!make) throw new LeaseholdError("model-invalid", `The model can't be used here: it has the input ${name}.`);
      return [name, make()];
    }),
  );
}

/** `outputs`: by name, the first that the model has; else its first output. */
export async function openTextEncoder(files: ModelFiles, engine: SessionEngine, outputs: readonly string[], step: Step, { selfTest }: Pick<ModelOptions, "selfTest">): Promise<TextEncoder> {
  const [tokenizer, config] = [await loadTokenizer(files), await readJson(files, "config.json")];
  const maxLength = mostTokens(config, tokenizer.maxLength);
  const outputOf = ({ outputNames }: InferenceSession) => outputs.find((name) => outputNames.includes(name)) ?? outputNames[0] ?? "";
  const session = await openTrusted(files, engine, step, {
    selfTest,
    trial: (opened) => ({ feeds: feedsOf([trialText(tokenizer, engine, maxLength)], { api: engine.api, inputNames: opened.inputNames, config }), output: outputOf(opened) }),
  });
  return new TextEncoder({ engine, session, tokenizer, config, maxLength, output: outputOf(session) });
}

/** Their first positions stand for padding and what comes before it, and no token is at them. */
const PADDED_POSITIONS: ReadonlySet<unknown> = new Set(["roberta", "xlm-roberta", "camembert", "mpnet", "xmod", "longformer"]);
const MOST = 8192;

/** The longest text, in tokens, that the model has positions for. */
export function mostTokens({ model_type: type, max_position_embeddings: stated, pad_token_id: pad }: JsonObject, tokenizerMost: number): number {
  const unused = PADDED_POSITIONS.has(type) ? Number(pad ?? 1) + 1 : 0;
  return Math.min(tokenizerMost, typeof stated === "number" ? stated - unused : Infinity, MOST);
}

/** A graphics device has other kernels for long texts than for short ones: there the trial is a text that takes them. */
const GPU_TRIAL_WORDS = 64;

function trialText(tokenizer: Tokenizer, { backend }: SessionEngine, maxLength: number): Encoded {
  const short = tokenizer.encode("warm");
  const long = backend === "webgpu" ? tokenizer.encode("warm ".repeat(GPU_TRIAL_WORDS)) : short;
  return long.ids.length <= maxLength ? long : short;
}

/** The labels of a classifier's outputs, in their order. */
export function labelsOf(config: JsonObject, count: number): readonly string[] {
  const names = (config["id2label"] ?? {}) as Readonly<Record<string, unknown>>;
  return Array.from({ length: count }, (_, at) => (typeof names[at] === "string" ? names[at] : `LABEL_${at}`));
}
