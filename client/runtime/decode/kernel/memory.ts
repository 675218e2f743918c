/**
 * The one memory of a decoder on kernels: what is fixed, then each thread's scratch, then keys and values.
 *
 * - Keys and values lie at the end, so that room for more of them is more memory and nothing else: each head's move up,
 *   the last first, into what was added. There is never a second copy, and nothing to give back.
 * - Shared where there is more than one thread. A view is for at once: the memory may grow.
 */
import { keptBytes, scoresBytes } from "../../kernels/kernels.ts";
import { eachStretch } from "../kv-cache.ts";
import type { KvPair } from "../decoder.ts";
import type { Program } from "./program.ts";
import { aligned } from "./value-places.ts";

const PAGE = 65536;
const FIRST_CAPACITY = 256;
/** Tokens that room is made for at a time, at least. */
const STEP = 64;

export interface KeyPlaces {
  /** Tokens that there is room for. */
  readonly capacity: number;
  readonly keysAt: number;
  /** Scratch of thread 0; the others' follow. */
  readonly scoresAt: number;
  readonly scoresBytes: number;
}

/** Keys or values of one layer. */
interface Span {
  readonly heads: number;
  /** Bytes of a head's token. */
  readonly row: number;
  /** Bytes of each token's keys and values that lie before. */
  readonly before: number;
}

/** What each token takes for which there is room: keys and values, and scratch of each thread. */
export const bytesPerToken = ({ tokenBytes }: Pick<Program, "tokenBytes">, kv: readonly KvPair[], threads: number): number => tokenBytes + threads * (scoresBytes(1, largestHead(kv)) - scoresBytes(0, largestHead(kv)));

const largestHead = (kv: readonly KvPair[]): number => Math.max(0, ...kv.map(({ headSize }) => headSize));

export class KernelMemory {
  readonly memory: WebAssembly.Memory;
  readonly #end: number;
  readonly #tokenBytes: number;
  readonly #threads: number;
  readonly #limit: number;
  readonly #headSize: number;
  readonly #spans: readonly Span[];
  #places: KeyPlaces;

  /** `atLeast`: bytes that are there from the beginning. `limit`: the most tokens there is ever room for. */
  constructor({ end, tokenBytes }: Pick<Program, "end" | "tokenBytes">, kv: readonly KvPair[], threads: number, limit: number, atLeast: number) {
    this.#end = end;
    this.#tokenBytes = tokenBytes;
    this.#threads = threads;
    this.#limit = limit;
    this.#headSize = largestHead(kv);
    let before = 0;
    this.#spans = kv.map(({ heads, headSize }) => {
      const span = { heads, row: keptBytes(headSize), before };
      before += heads * span.row;
      return span;
    });
    this.#places = this.#placesFor(Math.min(FIRST_CAPACITY, limit));
    const initial = pages(Math.max(atLeast, this.#bytes(this.#places)));
    this.memory = new WebAssembly.Memory({ initial, maximum: Math.max(initial, pages(this.#bytes(this.#placesFor(limit)))), shared: threads > 1 });
  }

  /** Tokens that there is room for now. */
  get capacity(): number {
    return this.#places.capacity;
  }

  get byteLength(): number {
    return this.memory.buffer.byteLength;
  }

  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, length);
  }

  /** Room for `tokens`; the first `length` stay. Throws a RangeError where none is to be had, with all as it was. */
  reserve(tokens: number, length: number): KeyPlaces {
    if (tokens <= this.#places.capacity) return this.#places;
    const wanted = Math.max(tokens, Math.floor(1.5 * this.#places.capacity));
    const [old, next] = [this.#places, this.#placesFor(Math.min(this.#limit, Math.ceil(wanted / STEP) * STEP))];
    const missing = pages(this.#bytes(next)) - this.byteLength / PAGE;
    if (missing > 0) this.memory.grow(missing);
    const all = this.bytes(0, this.byteLength);
    const moves: [to: number, from: number, size: number][] = [];
    for (const { heads, row, before } of this.#spans) {
      eachStretch(heads, row, length, old.capacity, next.capacity, (from, to, size) => moves.push([next.keysAt + next.capacity * before + to, old.keysAt + old.capacity * before + from, size]));
    }
    for (const [to, from, size] of moves.reverse()) all.copyWithin(to, from, from + size);
    this.#places = next;
    return next;
  }

  /** The first `length` tokens of each input, head after head. */
  save(length: number): Uint8Array[] {
    const { keysAt, capacity } = this.#places;
    return this.#spans.map(({ heads, row, before }) => {
      const saved = new Uint8Array(length * heads * row);
      eachStretch(heads, row, length, capacity, length, (from, to, size) => saved.set(this.bytes(keysAt + capacity * before + from, size), to));
      return saved;
    });
  }

  restore(length: number, saved: readonly Uint8Array[]): void {
    const { keysAt, capacity } = this.reserve(length, 0);
    this.#spans.forEach(({ heads, row, before }, index) => {
      const bytes = saved[index] ?? new Uint8Array();
      eachStretch(heads, row, length, length, capacity, (from, to, size) => this.bytes(keysAt + capacity * before + to, size).set(bytes.subarray(from, from + size)));
    });
  }

  #placesFor(capacity: number): KeyPlaces {
    const scratch = aligned(scoresBytes(capacity, this.#headSize));
    return { capacity, scoresAt: this.#end, scoresBytes: scratch, keysAt: this.#end + this.#threads * scratch };
  }

  #bytes({ keysAt, capacity }: KeyPlaces): number {
    return keysAt + capacity * this.#tokenBytes;
  }
}

const pages = (bytes: number): number => Math.ceil(bytes / PAGE);
