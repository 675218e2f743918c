/**
 * The decoder on WebGPU with everything in its place: keys and values are written where they are read, inputs and
 * outputs are buffers that stay, and the run for a single token is recorded once and played back.
 *
 * - For graphs with grouped attention, rewritten by `withStaticPositions`. There is room for a text of usual length from the
 *   start; a longer one moves keys and values to buffers four times as large, on the GPU, and a token is recorded anew.
 * - Where the GPU has no room for that, the text is refused with the sequence as it was, and `contextLength` says so after.
 * - A prompt goes in pieces, which aren't recorded.
 * - After each run 772 bytes come back: the 64 likeliest tokens, their logits, and the weight of all.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import { LeaseholdError } from "../../errors.ts";
import type { SessionEngine } from "../backends/engine.ts";
import { type GpuBuffer, GpuBuffers, GpuFull } from "../backends/gpu-buffers.ts";
import { TYPE_BYTES } from "../backends/ort-module.ts";
import { CAPACITY, SEQUENCE_LENGTH } from "../graph/static-positions.ts";
import { TOP_COUNT, TOP_OUTPUTS } from "../graph/top-candidates.ts";
import { floatsOf } from "../tasks/floats.ts";
import type { Step } from "../tasks/task.ts";
import type { DecoderInPieces } from "./check-pieces.ts";
import type { DecoderIo } from "./decoder-io.ts";
import type { Candidates, KvPair, KvType, NextToken, SavedSequence } from "./decoder.ts";
import { feedInPieces, whileCurrent } from "./feeding.ts";
import { PIECE } from "./heap-decoder.ts";
import { eachHead, kvBytesPerToken, tokenBytes } from "./kv-cache.ts";
import { sound } from "./logits.ts";

export interface CapturedDecoderParts {
  readonly engine: SessionEngine;
  readonly session: InferenceSession;
  readonly io: DecoderIo;
  readonly vocabulary: number;
  /** The most tokens that a sequence may have. */
  readonly contextLength: number;
  readonly firstRoom?: number | undefined;
  /** Of the weights. */
  readonly weightBytes: number;
  readonly description: string;
}

/** What is recorded is played back where its number comes again; a run with this one is not recorded. */
const UNRECORDED = "-1";

/** Tokens that there is room for from the start, and how much more each time. */
const FIRST_ROOM = 1024;
const GROWTH = 4;

export function capacityFor(tokens: number, limit: number, first = FIRST_ROOM): number {
  let capacity = first;
  while (capacity < tokens) capacity *= GROWTH;
  return Math.min(capacity, limit);
}

/** Tokens whose keys, or values, one buffer can have. */
export const mostInOneBuffer = ({ kv, kvType }: DecoderIo, { maxBufferSize, maxStorageBufferBindingSize }: Pick<GPUSupportedLimits, "maxBufferSize" | "maxStorageBufferBindingSize">): number =>
  Math.floor(Math.min(maxBufferSize, maxStorageBufferBindingSize) / Math.max(...kv.map((pair) => pair.heads * tokenBytes(pair, kvType))));

interface Places {
  readonly ids: GpuBuffer;
  readonly positions: GpuBuffer;
  readonly lengths: GpuBuffer;
  readonly logits: GpuBuffer;
  readonly topIds: GpuBuffer;
  readonly topLogits: GpuBuffer;
  readonly logSumExp: GpuBuffer;
}

export class CapturedDecoder implements DecoderInPieces {
  readonly vocabulary: number;
  description: string;
  piece = PIECE;
  readonly #parts: CapturedDecoderParts;
  readonly #gpu: GpuBuffers;
  readonly #places: Places;
  #kv: GpuBuffers;
  #capacity: number;
  #contextLength: number;
  /** How often keys and values have moved: the number of what is recorded now. */
  #moves = 0;
  #position = 0;
  #runs = 0;

  private constructor(parts: CapturedDecoderParts, gpu: GpuBuffers, kv: GpuBuffers, capacity: number) {
    this.#parts = parts;
    this.vocabulary = parts.vocabulary;
    this.description = parts.description;
    this.#gpu = gpu;
    this.#kv = kv;
    this.#capacity = capacity;
    this.#contextLength = parts.contextLength;
    const [ids, positions, lengths, logits, topIds, topLogits, logSumExp] = gpu.buffers;
    if (!ids || !positions || !lengths || !logits || !topIds || !topLogits || !logSumExp) throw new Error("the GPU gave fewer buffers than were asked for");
    this.#places = { ids, positions, lengths, logits, topIds, topLogits, logSumExp };
  }

  static async open(parts: CapturedDecoderParts): Promise<CapturedDecoder> {
    const { engine, io, vocabulary } = parts;
    const device: GPUDevice = await engine.api.env.webgpu.device;
    const contextLength = Math.min(parts.contextLength, mostInOneBuffer(io, device.limits));
    const capacity = capacityFor(0, contextLength, parts.firstRoom);
    const gpu = await GpuBuffers.make(engine, [
      { type: io.idType, dims: [1, PIECE] },
      { type: io.idType, dims: [1, PIECE] },
      { type: "int32", dims: [1] },
      { type: io.logitsType, dims: [1, 1, vocabulary] },
      { type: "int64", dims: [1, 1, TOP_COUNT] },
      { type: io.logitsType, dims: [1, 1, TOP_COUNT] },
      { type: io.logitsType, dims: [1, 1] },
    ]);
    const kv = await makeKv(parts, capacity).catch(async (error: unknown) => {
      await gpu.close();
      throw error;
    });
    return new CapturedDecoder({ ...parts, contextLength }, gpu, kv, capacity);
  }

  get contextLength(): number {
    return this.#contextLength;
  }

  get position(): number {
    return this.#position;
  }

  get memoryBytes(): number {
    const { io, weightBytes } = this.#parts;
    return weightBytes + kvBytesPerToken(io.kv, io.kvType) * this.#capacity;
  }

  async feed(ids: Int32Array, step: Step): Promise<NextToken> {
    if (this.#position + ids.length <= this.#contextLength) await this.#makeRoom(this.#position + ids.length);
    await feedInPieces(this, ids, this.piece, step, (piece) => this.#run(piece));
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
    const { io } = this.#parts;
    const length = this.#position;
    const bytes: Uint8Array[] = [];
    for (const [index, pair] of io.kv.entries()) {
      const saved = new Uint8Array(length * tokenBytes(pair, io.kvType) * pair.heads);
      const heads = rangesOf(pair, io.kvType, length, this.#capacity, length);
      const read = await this.#gpu.read(...heads.map(({ from, size }) => ({ buffer: bufferAt(this.#kv, index), from, bytes: size })));
      heads.forEach(({ to }, head) => saved.set(read[head] ?? saved, to));
      bytes.push(saved);
    }
    return { length, type: io.kvType, bytes };
  }

  async restore({ length, type, bytes }: SavedSequence): Promise<void> {
    const { io } = this.#parts;
    if (type !== io.kvType || bytes.length !== io.kv.length) throw new Error("this sequence was saved from another model");
    this.#position = 0;
    await this.#makeRoom(length);
    io.kv.forEach((pair, index) => {
      for (const { from, to, size } of rangesOf(pair, io.kvType, length, length, this.#capacity)) this.#gpu.write(bufferAt(this.#kv, index), (bytes[index] ?? new Uint8Array(size)).slice(from, from + size), to);
    });
    this.#position = length;
    this.#runs++;
  }

  async close(): Promise<void> {
    await this.#parts.session.release();
    await this.#gpu.close();
    await this.#kv.close();
  }

  /** What is there stays; where there is no room to be had, all stays as it was. */
  async #makeRoom(tokens: number): Promise<void> {
    const { io, firstRoom } = this.#parts;
    if (tokens <= this.#capacity) return;
    const capacity = capacityFor(tokens, this.#contextLength, firstRoom);
    const kv = await makeKv(this.#parts, capacity).catch((error: unknown) => {
      if (!(error instanceof GpuFull)) throw error;
      this.#contextLength = this.#capacity;
      throw new LeaseholdError("context-length-exceeded", `The text has ${tokens} tokens; the graphics device has room for ${this.#capacity}.`, { limit: this.#capacity, cause: error });
    });
    kv.copy(io.kv.flatMap((pair, index) => rangesOf(pair, io.kvType, this.#position, this.#capacity, capacity).map(({ from, to, size }) => ({ buffer: bufferAt(this.#kv, index), from, bytes: size, to: bufferAt(kv, index), at: to }))));
    await this.#kv.close();
    this.#kv = kv;
    this.#capacity = capacity;
    this.#moves++;
  }

  async #run(ids: Int32Array): Promise<void> {
    const { engine, session, io, vocabulary } = this.#parts;
    const places = this.#places;
    const capacity = this.#capacity;
    const total = this.#position + ids.length;
    this.#gpu.write(places.ids, this.#numbers(ids));
    this.#gpu.write(places.lengths, Int32Array.of(total - 1));
    const feeds: Record<string, Tensor> = { [io.ids]: places.ids.tensor([1, ids.length]), [SEQUENCE_LENGTH]: places.lengths.tensor([1]), [CAPACITY]: new engine.api.Tensor("int32", Int32Array.of(capacity), [1]) };
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
      feeds[past] = bufferAt(this.#kv, index).tensor([1, heads, capacity, headSize]);
      fetches[present] = bufferAt(this.#kv, index).tensor([1, heads, capacity, headSize]);
    });
    await session.run(feeds, fetches, { extra: { gpu_graph_id: ids.length === 1 ? String(this.#moves) : UNRECORDED } });
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
    return sound({ ids: Int32Array.from(new BigInt64Array(ids.buffer).subarray(0, count), Number), logits: this.#floats(logits).slice(0, count), logSumExp: this.#floats(sum)[0] ?? NaN }, this.vocabulary);
  }

  #numbers(values: Int32Array): Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> {
    return this.#parts.io.idType === "int64" ? BigInt64Array.from(values, BigInt) : Int32Array.from(values);
  }

  #floats(bytes: Uint8Array<ArrayBuffer>): Float32Array {
    const { logitsType } = this.#parts.io;
    return (logitsType === "float32" ? new Float32Array(bytes.buffer) : floatsOf("float16", new Uint16Array(bytes.buffer))) ?? new Float32Array();
  }
}

const makeKv = ({ engine, io }: CapturedDecoderParts, capacity: number): Promise<GpuBuffers> =>
  GpuBuffers.make(engine, io.kv.map(({ heads, headSize }) => ({ type: io.kvType, dims: [1, heads, capacity, headSize] })));

function bufferAt({ buffers }: GpuBuffers, index: number): GpuBuffer {
  const buffer = buffers[index];
  if (!buffer) throw new Error("more keys and values than the graph has");
  return buffer;
}

/** Of the first `length` tokens, where each head's lie in two buffers. */
function rangesOf(pair: KvPair, type: KvType, length: number, fromCapacity: number, toCapacity: number): { readonly from: number; readonly to: number; readonly size: number }[] {
  const ranges: { from: number; to: number; size: number }[] = [];
  if (length > 0) eachHead(pair, type, length, fromCapacity, toCapacity, (from, to, size) => ranges.push({ from, to, size }));
  return ranges;
}
