/**
 * The decoder on WebGPU with everything in its place: keys and values are written where they are read, inputs and
 * outputs are buffers that stay, and the run for a single token is recorded once and played back.
 *
 * - For graphs with grouped attention, rewritten by `withStaticPositions`. Room for `capacity` tokens from the start.
 * - A prompt goes in pieces, which aren't recorded.
 * - After each run 772 bytes come back: the 64 likeliest tokens, their logits, and the weight of all.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import type { SessionEngine } from "../backends/engine.ts";
import { type GpuBuffer, GpuBuffers } from "../backends/gpu-buffers.ts";
import { TYPE_BYTES } from "../backends/ort-module.ts";
import { SEQUENCE_LENGTH } from "../graph/static-positions.ts";
import { TOP_COUNT, TOP_OUTPUTS } from "../graph/top-candidates.ts";
import { floatsOf } from "../tasks/floats.ts";
import type { Step } from "../tasks/task.ts";
import type { DecoderIo } from "./decoder-io.ts";
import type { Candidates, Decoder, NextToken, SavedSequence } from "./decoder.ts";
import { feedInPieces, whileCurrent } from "./feeding.ts";
import { PIECE } from "./heap-decoder.ts";
import { eachHead, kvBytesPerToken, tokenBytes } from "./kv-cache.ts";

export interface CapturedDecoderParts {
  readonly engine: SessionEngine;
  readonly session: InferenceSession;
  readonly io: DecoderIo;
  readonly vocabulary: number;
  /** Tokens that there is room for. */
  readonly capacity: number;
  /** Of the weights. */
  readonly weightBytes: number;
  readonly description: string;
}

/** Runs like this one are not recorded. */
const UNRECORDED = { extra: { gpu_graph_id: "-1" } };

interface Places {
  readonly ids: GpuBuffer;
  readonly positions: GpuBuffer;
  readonly lengths: GpuBuffer;
  readonly logits: GpuBuffer;
  readonly topIds: GpuBuffer;
  readonly topLogits: GpuBuffer;
  readonly logSumExp: GpuBuffer;
  readonly kv: readonly GpuBuffer[];
}

export class CapturedDecoder implements Decoder {
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly description: string;
  readonly #parts: CapturedDecoderParts;
  readonly #gpu: GpuBuffers;
  readonly #places: Places;
  #position = 0;
  #runs = 0;

  private constructor(parts: CapturedDecoderParts, gpu: GpuBuffers) {
    this.#parts = parts;
    this.vocabulary = parts.vocabulary;
    this.contextLength = parts.capacity;
    this.description = parts.description;
    this.#gpu = gpu;
    const [ids, positions, lengths, logits, topIds, topLogits, logSumExp, ...kv] = gpu.buffers;
    if (!ids || !positions || !lengths || !logits || !topIds || !topLogits || !logSumExp || kv.length !== parts.io.kv.length) throw new Error("the GPU gave fewer buffers than were asked for");
    this.#places = { ids, positions, lengths, logits, topIds, topLogits, logSumExp, kv };
  }

  static async open(parts: CapturedDecoderParts): Promise<CapturedDecoder> {
    const { engine, io, vocabulary, capacity } = parts;
    const gpu = await GpuBuffers.make(engine, [
      { type: io.idType, dims: [1, PIECE] },
      { type: io.idType, dims: [1, PIECE] },
      { type: "int32", dims: [1] },
      { type: io.logitsType, dims: [1, 1, vocabulary] },
      { type: "int64", dims: [1, 1, TOP_COUNT] },
      { type: io.logitsType, dims: [1, 1, TOP_COUNT] },
      { type: io.logitsType, dims: [1, 1] },
      ...io.kv.map(({ heads, headSize }) => ({ type: io.kvType, dims: [1, heads, capacity, headSize] })),
    ]);
    return new CapturedDecoder(parts, gpu);
  }

  get position(): number {
    return this.#position;
  }

  get memoryBytes(): number {
    const { io, weightBytes, capacity } = this.#parts;
    return weightBytes + kvBytesPerToken(io.kv, io.kvType) * capacity;
  }

  async feed(ids: Int32Array, step: Step): Promise<NextToken> {
    await feedInPieces(this, ids, PIECE, step, (piece) => this.#run(piece));
    const current = whileCurrent(() => this.#runs);
    return {
      greedy: () => current(async () => (await this.#top(1)).ids[0] ?? 0),
      top: (count) => current(() => this.#top(count)),
      logits: () => current(() => this.#logits()),
    };
  }

  async truncate(length: number): Promise<void> {
    this.#position = Math.min(length, this.#position); // what lies beyond is written over
    this.#runs++;
  }

  async save(): Promise<SavedSequence> {
    const { io, capacity } = this.#parts;
    const length = this.#position;
    const bytes: Uint8Array[] = [];
    for (const [index, pair] of io.kv.entries()) {
      const [whole] = await this.#gpu.read({ buffer: this.#kv(index), bytes: capacity * tokenBytes(pair, io.kvType) * pair.heads });
      const saved = new Uint8Array(length * tokenBytes(pair, io.kvType) * pair.heads);
      eachHead(pair, io.kvType, length, capacity, length, (from, to, size) => saved.set((whole ?? saved).subarray(from, from + size), to));
      bytes.push(saved);
    }
    return { length, type: io.kvType, bytes };
  }

  async restore({ length, type, bytes }: SavedSequence): Promise<void> {
    const { io, capacity } = this.#parts;
    if (type !== io.kvType || bytes.length !== io.kv.length) throw new Error("this sequence was saved from another model");
    io.kv.forEach((pair, index) => {
      const whole = new Uint8Array(capacity * tokenBytes(pair, io.kvType) * pair.heads);
      eachHead(pair, io.kvType, length, length, capacity, (from, to, size) => whole.set((bytes[index] ?? whole).subarray(from, from + size), to));
      this.#gpu.write(this.#kv(index), whole);
    });
    this.#position = length;
    this.#runs++;
  }

  async close(): Promise<void> {
    await this.#parts.session.release();
    this.#gpu.close();
  }

  async #run(ids: Int32Array): Promise<void> {
    const { session, io, vocabulary, capacity } = this.#parts;
    const places = this.#places;
    const total = this.#position + ids.length;
    this.#gpu.write(places.ids, this.#numbers(ids));
    this.#gpu.write(places.lengths, Int32Array.of(total - 1));
    const feeds: Record<string, Tensor> = { [io.ids]: places.ids.tensor([1, ids.length]), [SEQUENCE_LENGTH]: places.lengths.tensor([1]) };
    if (io.positions !== null) {
      this.#gpu.write(places.positions, this.#numbers(ids.map((_, at) => this.#position + at)));
      feeds[io.positions] = places.positions.tensor([1, ids.length]);
    }
    const fetches: Record<string, Tensor> = {
      [io.logits]: places.logits.tensor([1, 1, vocabulary]),
      [TOP_OUTPUTS.ids]: places.topIds.tensor([1, 1, TOP_COUNT]),
      [TOP_OUTPUTS.logits]: places.topLogits.tensor([1, 1, TOP_COUNT]),
      [TOP_OUTPUTS.logSumExp]: places.logSumExp.tensor([1, 1]),
    };
    io.kv.forEach(({ past, present, heads, headSize }, index) => {
      feeds[past] = this.#kv(index).tensor([1, heads, capacity, headSize]);
      fetches[present] = this.#kv(index).tensor([1, heads, capacity, headSize]);
    });
    await session.run(feeds, fetches, ids.length === 1 ? {} : UNRECORDED);
    this.#position = total;
    this.#runs++;
  }

  async #logits(): Promise<Float32Array> {
    const { io, vocabulary } = this.#parts;
    const [bytes = new Uint8Array()] = await this.#gpu.read({ buffer: this.#places.logits, bytes: vocabulary * TYPE_BYTES[io.logitsType] });
    return this.#floats(bytes);
  }

  /** The graph has picked the 64 likeliest, likeliest first. */
  async #top(count: number): Promise<Candidates> {
    if (count > TOP_COUNT) throw new Error(`the graph picks ${TOP_COUNT} candidates`);
    const { topIds, topLogits, logSumExp } = this.#places;
    const width = TYPE_BYTES[this.#parts.io.logitsType];
    const [ids, logits, sum] = await this.#gpu.read({ buffer: topIds, bytes: 8 * TOP_COUNT }, { buffer: topLogits, bytes: width * TOP_COUNT }, { buffer: logSumExp, bytes: width });
    if (!ids || !logits || !sum) throw new Error("the GPU gave nothing back");
    return { ids: Int32Array.from(new BigInt64Array(ids.buffer).subarray(0, count), Number), logits: this.#floats(logits).slice(0, count), logSumExp: this.#floats(sum)[0] ?? NaN };
  }

  #kv(index: number): GpuBuffer {
    const buffer = this.#places.kv[index];
    if (!buffer) throw new Error("more keys and values than the graph has");
    return buffer;
  }

  #numbers(values: Int32Array): Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> {
    return this.#parts.io.idType === "int64" ? BigInt64Array.from(values, BigInt) : Int32Array.from(values);
  }

  #floats(bytes: Uint8Array<ArrayBuffer>): Float32Array {
    const { logitsType } = this.#parts.io;
    return (logitsType === "float32" ? new Float32Array(bytes.buffer) : floatsOf("float16", new Uint16Array(bytes.buffer))) ?? new Float32Array();
  }
}
