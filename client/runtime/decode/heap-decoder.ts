/**
 * The decoder on WASM: onnxruntime's module driven without its API, keys and values in the heap.
 *
 * - A token costs its run and little else: no tensor is copied but the token's id in and, where asked for, its logits out.
 * - Inputs are written once into memory of a fixed place; only their shapes change.
 */
import { TYPE_BYTES, type HeapSession, type HeapType, type OrtModule } from "../backends/ort-module.ts";
import type { PieceShape } from "../graph/attend-pieces.ts";
import { halvesToFloats } from "../graph/half.ts";
import { ScoreRoom } from "../kernels/scores.ts";
import type { Step } from "../tasks/task.ts";
import type { DecoderIo } from "./decoder-io.ts";
import type { Decoder, NextToken, SavedSequence } from "./decoder.ts";
import { feedInPieces, whileCurrent } from "./feeding.ts";
import type { KvCache } from "./kv-cache.ts";
import { KvGrowing } from "./kv-growing.ts";
import { KvInPlace } from "./kv-in-place.ts";
import { candidatesOf } from "./logits.ts";
import { pieceInputs, smallInputs, type SmallInput } from "./small-inputs.ts";

export interface HeapDecoderParts {
  readonly ort: OrtModule;
  readonly session: HeapSession;
  readonly io: DecoderIo;
  /** Of a graph that attends to pieces by itself. */
  readonly pieces: PieceShape | null;
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly description: string;
}

interface Place {
  at: number;
  room: number;
}

const FIRST_ROOM = 4096;

/** Tokens per run while a prompt is read: enough for the matrix products, and an abort waits no longer than one. */
export const PIECE = 64;

export class HeapDecoder implements Decoder {
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly description: string;
  readonly #ort: OrtModule;
  readonly #session: HeapSession;
  readonly #io: DecoderIo;
  readonly #inputs: readonly SmallInput[];
  readonly #kv: KvCache;
  readonly #logitsAt: number;
  readonly #logits: number;
  readonly #places: readonly Place[];
  #position = 0;
  /** Counts runs, so that logits are read only while they are there. */
  #runs = 0;
  readonly #room = new ScoreRoom();

  constructor({ ort, session, io, pieces, vocabulary, contextLength, description }: HeapDecoderParts) {
    this.vocabulary = vocabulary;
    this.contextLength = contextLength;
    this.description = description;
    this.#ort = ort;
    this.#session = session;
    this.#io = io;
    this.#inputs = [...smallInputs(io), ...(pieces ? pieceInputs(pieces) : [])];
    this.#places = this.#inputs.map(() => ({ at: 0, room: 0 }));
    this.#kv = io.attention === "grouped" ? new KvInPlace(ort, io.kv, io.kvType, contextLength) : new KvGrowing(ort, io.kv, io.kvType);
    this.#logitsAt = ort.alloc(vocabulary * TYPE_BYTES[io.logitsType]);
    this.#logits = ort.tensor(io.logitsType, this.#logitsAt, [1, 1, vocabulary]).handle;
    session.bind([...this.#inputs.map(({ name }) => name), ...io.kv.map(({ past }) => past)], [io.logits, ...io.kv.map(({ present }) => present)]);
  }

  get position(): number {
    return this.#position;
  }

  get memoryBytes(): number {
    return this.#ort.heapBytes;
  }

  async feed(ids: Int32Array, step: Step): Promise<NextToken> {
    await feedInPieces(this, ids, PIECE, step, (piece) => this.#run(piece));
    const current = whileCurrent(() => this.#runs);
    const read = () => current(async () => this.#readLogits());
    return {
      greedy: async () => this.#room.load(await read()).likeliest(),
      top: async (count) => candidatesOf(this.#room.load(await read()), count),
      view: read,
      logits: async () => (await read()).slice(),
    };
  }

  async truncate(length: number): Promise<void> {
    if (length >= this.#position) return;
    this.#kv.truncate(length);
    this.#position = length;
    this.#runs++;
  }

  async save(): Promise<SavedSequence> {
    return { length: this.#position, type: this.#io.kvType, bytes: this.#kv.save(this.#position) };
  }

  async restore({ length, type, bytes }: SavedSequence): Promise<void> {
    if (type !== this.#io.kvType || bytes.length !== this.#io.kv.length) throw new Error("this sequence was saved from another model");
    this.#kv.restore(length, bytes);
    this.#position = length;
    this.#runs++;
  }

  async close(): Promise<void> {
    this.#kv.close();
    this.#ort.release(this.#logits);
    this.#ort.free(this.#logitsAt);
    for (const { at } of this.#places) if (at !== 0) this.#ort.free(at);
    this.#session.release();
  }

  #run(ids: Int32Array): void {
    const total = this.#position + ids.length;
    const small = this.#inputs.map(({ type, values, dims }, index) => {
      const numbers = values(total, ids);
      const at = this.#makeRoom(index, numbers.length * TYPE_BYTES[type]);
      this.#write(at, type, numbers);
      return this.#ort.tensor(type, at, dims(total, ids.length)).handle;
    });
    const kv = this.#kv.inputs(total, this.#position);
    const [, ...made] = this.#session.run([...small, ...kv], [this.#logits, ...this.#kv.outputs()]);
    for (const handle of small) this.#ort.release(handle);
    this.#kv.advance(made);
    this.#position = total;
    this.#runs++;
  }

  /** Where a small input's numbers go; it moves where they are more than ever. */
  #makeRoom(index: number, bytes: number): number {
    const place = this.#places[index];
    if (!place) throw new Error("each input has a place");
    if (bytes > place.room || place.at === 0) {
      if (place.at !== 0) this.#ort.free(place.at);
      place.room = Math.max(2 * place.room, bytes, FIRST_ROOM);
      place.at = this.#ort.alloc(place.room);
    }
    return place.at;
  }

  #write(place: number, type: HeapType, values: ArrayLike<number>): void {
    const { buffer } = this.#ort.bytes(place, 0);
    if (type === "int64") {
      const words = new Int32Array(buffer, place, 2 * values.length);
      for (let at = 0; at < values.length; at++) {
        words[2 * at] = values[at] ?? 0;
        words[2 * at + 1] = 0;
      }
    } else if (type === "int32") new Int32Array(buffer, place, values.length).set(values);
    else if (type === "float32") new Float32Array(buffer, place, values.length).set(values);
    else new Uint8Array(buffer, place, values.length).set(values);
  }

  /** A view; good until the next run. */
  #readLogits(): Float32Array {
    const bytes = this.#ort.bytes(this.#logitsAt, this.vocabulary * TYPE_BYTES[this.#io.logitsType]);
    return this.#io.logitsType === "float16" ? halvesToFloats(bytes) : new Float32Array(bytes.buffer, bytes.byteOffset, this.vocabulary);
  }
}
