/**
 * The decoder on onnxruntime-web's public API: on WebGPU, and on WASM where the module can't be driven itself.
 *
 * - A run's keys and values are the next run's, as they are: on WebGPU they stay on the GPU. On WASM the API copies
 *   them in and out with each token.
 * - On WebGPU logits stay there too; `greedy` and `top` read what the graph has picked, a few hundred bytes.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import type { SessionEngine } from "../backends/engine.ts";
import { TOP_COUNT, TOP_OUTPUTS } from "../graph/top-candidates.ts";
import { floatsOf } from "../tasks/floats.ts";
import { ScoreRoom } from "../kernels/scores.ts";
import type { Step } from "../tasks/task.ts";
import type { DecoderInPieces } from "./check-pieces.ts";
import type { DecoderIo } from "./decoder-io.ts";
import type { Candidates, KvPair, NextToken, SavedSequence } from "./decoder.ts";
import { feedInPieces, whileCurrent } from "./feeding.ts";
import { PIECE } from "./heap-decoder.ts";
import { eachHead, kvBytesPerToken, tokenBytes } from "./kv-cache.ts";
import { candidatesOf, sound } from "./logits.ts";
import { smallInputs, type SmallInput } from "./small-inputs.ts";

export interface SessionDecoderParts {
  readonly engine: SessionEngine;
  readonly session: InferenceSession;
  readonly io: DecoderIo;
  readonly vocabulary: number;
  readonly contextLength: number;
  /** Of the weights. */
  readonly weightBytes: number;
  readonly description: string;
}

export class SessionDecoder implements DecoderInPieces {
  readonly vocabulary: number;
  readonly contextLength: number;
  description: string;
  piece = PIECE;
  readonly #parts: SessionDecoderParts;
  readonly #inputs: readonly SmallInput[];
  readonly #hasTop: boolean;
  #kv: readonly Tensor[];
  #last: Readonly<Record<string, Tensor>> = {};
  #position = 0;
  #runs = 0;
  readonly #room = new ScoreRoom();

  constructor(parts: SessionDecoderParts) {
    this.#parts = parts;
    this.vocabulary = parts.vocabulary;
    this.contextLength = parts.contextLength;
    this.description = parts.description;
    this.#inputs = smallInputs(parts.io);
    this.#hasTop = parts.session.outputNames.includes(TOP_OUTPUTS.ids);
    this.#kv = parts.io.kv.map((pair) => this.#tensor(pair, 0, new Uint8Array()));
  }

  get position(): number {
    return this.#position;
  }

  get memoryBytes(): number {
    const { io, weightBytes } = this.#parts;
    return weightBytes + kvBytesPerToken(io.kv, io.kvType) * this.#position;
  }

  async feed(ids: Int32Array, step: Step): Promise<NextToken> {
    await feedInPieces(this, ids, this.piece, step, (piece) => this.#run(piece));
    const current = whileCurrent(() => this.#runs);
    return {
      greedy: () => current(async () => (this.#hasTop ? ((await this.#top(1)).ids[0] ?? 0) : this.#room.load(await this.#logits()).likeliest())),
      top: (count) => current(async () => (this.#hasTop ? this.#top(count) : candidatesOf(this.#room.load(await this.#logits()), count))),
      logits: () => current(() => this.#logits()),
    };
  }

  async truncate(length: number): Promise<void> {
    if (length >= this.#position) return;
    await this.restore({ length, type: this.#parts.io.kvType, bytes: await this.#dense(length) });
  }

  async save(): Promise<SavedSequence> {
    return { length: this.#position, type: this.#parts.io.kvType, bytes: await this.#dense(this.#position) };
  }

  async restore({ length, type, bytes }: SavedSequence): Promise<void> {
    const { io } = this.#parts;
    if (type !== io.kvType || bytes.length !== io.kv.length) throw new Error("this sequence was saved from another model");
    const next = io.kv.map((pair, index) => this.#tensor(pair, length, bytes[index] ?? new Uint8Array()));
    for (const tensor of this.#kv) tensor.dispose();
    this.#kv = next;
    this.#position = length;
    this.#runs++;
  }

  async close(): Promise<void> {
    for (const tensor of [...this.#kv, ...Object.values(this.#last)]) tensor.dispose();
    await this.#parts.session.release();
  }

  async #run(ids: Int32Array): Promise<void> {
    const { engine, session, io } = this.#parts;
    const total = this.#position + ids.length;
    const feeds: Record<string, Tensor> = {};
    for (const { name, type, values, dims } of this.#inputs) feeds[name] = new engine.api.Tensor(type, numbers(type, values(total, ids)), dims(total, ids.length));
    io.kv.forEach(({ past }, index) => {
      const tensor = this.#kv[index];
      if (tensor) feeds[past] = tensor;
    });
    const results = await session.run(feeds);
    for (const tensor of [...this.#kv, ...Object.values(this.#last)]) tensor.dispose();
    const presents = new Set(io.kv.map(({ present }) => present));
    this.#kv = io.kv.map(({ present }) => results[present]).filter((tensor) => tensor !== undefined);
    this.#last = Object.fromEntries(Object.entries(results).filter(([name]) => !presents.has(name)));
    this.#position = total;
    this.#runs++;
  }

  async #logits(): Promise<Float32Array> {
    return floats(await this.#output(this.#parts.io.logits)).slice();
  }

  /** The graph has picked the 64 likeliest, likeliest first. */
  async #top(count: number): Promise<Candidates> {
    const [ids, logits, sum] = await Promise.all([TOP_OUTPUTS.ids, TOP_OUTPUTS.logits, TOP_OUTPUTS.logSumExp].map((name) => this.#output(name)));
    if (!ids || !logits || !sum || count > TOP_COUNT) throw new Error(`the graph picks ${TOP_COUNT} candidates`);
    return sound({ ids: Int32Array.from(ids.data as BigInt64Array, Number).slice(0, count), logits: floats(logits).slice(0, count), logSumExp: floats(sum)[0] ?? NaN }, this.vocabulary);
  }

  async #output(name: string): Promise<Pick<Tensor, "data" | "type">> {
    const tensor = this.#last[name];
    if (!tensor) throw new Error(`the model gave no ${name}`);
    return { type: tensor.type, data: await tensor.getData() };
  }

  /** The first `length` tokens, head after head. */
  async #dense(length: number): Promise<Uint8Array[]> {
    const { io } = this.#parts;
    return Promise.all(
      this.#kv.map(async (tensor, index) => {
        const pair = io.kv[index];
        if (!pair) throw new Error("more keys and values than the graph has");
        const saved = new Uint8Array(length * tokenBytes(pair, io.kvType) * pair.heads);
        if (length === 0) return saved;
        const data = await tensor.getData();
        if (!ArrayBuffer.isView(data)) throw new Error("keys and values are no numbers");
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        eachHead(pair, io.kvType, length, tensor.dims[2] ?? 0, length, (from, to, size) => saved.set(bytes.subarray(from, from + size), to));
        return saved;
      }),
    );
  }

  #tensor({ heads, headSize }: KvPair, length: number, bytes: Uint8Array): Tensor {
    const { engine, io } = this.#parts;
    const buffer = bytes.slice().buffer;
    return new engine.api.Tensor(io.kvType, io.kvType === "float16" ? new Uint16Array(buffer) : new Float32Array(buffer), [1, heads, length, headSize]);
  }
}

function numbers(type: SmallInput["type"], values: ArrayLike<number>): BigInt64Array | Int32Array | Uint8Array {
  const list = Array.from(values);
  if (type === "int64") return BigInt64Array.from(list, BigInt);
  return type === "int32" ? Int32Array.from(list) : Uint8Array.from(list);
}

function floats({ data, type }: Pick<Tensor, "data" | "type">): Float32Array {
  const found = floatsOf(type, data);
  if (!found) throw new Error(`these are ${type}, not floats`);
  return found;
}
