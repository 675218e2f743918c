/**
 * Keys and values in the WASM heap, where grouped attention writes them in place: one value is past and present.
 *
 * - Room for `capacity` tokens per head; what lies beyond the sequence's length is never read. It grows by doubling:
 *   a copy now and then, instead of the whole context's memory for every short text.
 */
import { TYPE_BYTES, type HeapTensor, type OrtModule } from "../backends/ort-module.ts";
import type { KvPair, KvType } from "./decoder.ts";
import { eachHead, tokenBytes, type KvCache } from "./kv-cache.ts";

interface Buffer {
  readonly pair: KvPair;
  tensor: HeapTensor;
}

const FIRST_CAPACITY = 512;

export class KvInPlace implements KvCache {
  readonly #ort: OrtModule;
  readonly #type: KvType;
  readonly #limit: number;
  readonly #buffers: Buffer[];
  #capacity: number;

  constructor(ort: OrtModule, kv: readonly KvPair[], type: KvType, limit: number) {
    this.#ort = ort;
    this.#type = type;
    this.#limit = limit;
    this.#capacity = Math.min(FIRST_CAPACITY, limit);
    this.#buffers = kv.map((pair) => ({ pair, tensor: this.#make(pair, this.#capacity) }));
  }

  inputs(total: number, length: number): number[] {
    this.#reserve(total, length);
    return this.#handles;
  }

  outputs(): number[] {
    return this.#handles;
  }

  advance(): void {
    // The run has written where the values are.
  }

  truncate(): void {
    // What lies beyond the length is written over.
  }

  /** The first `length` tokens, head after head. */
  save(length: number): Uint8Array[] {
    return this.#buffers.map(({ pair, tensor }) => {
      const saved = new Uint8Array(length * tokenBytes(pair, this.#type) * pair.heads);
      eachHead(pair, this.#type, length, this.#capacity, length, (from, to, size) => saved.set(this.#ort.bytes(tensor.pointer + from, size), to));
      return saved;
    });
  }

  restore(length: number, saved: readonly Uint8Array[]): void {
    this.#reserve(length, 0);
    this.#buffers.forEach(({ pair, tensor }, index) => {
      const bytes = saved[index] ?? new Uint8Array();
      eachHead(pair, this.#type, length, length, this.#capacity, (from, to, size) => this.#ort.bytes(tensor.pointer + to, size).set(bytes.subarray(from, from + size)));
    });
  }

  close(): void {
    for (const { tensor } of this.#buffers) this.#drop(tensor);
  }

  get #handles(): number[] {
    return this.#buffers.map(({ tensor }) => tensor.handle);
  }

  /** Makes room for `tokens`; the first `length` stay. */
  #reserve(tokens: number, length: number): void {
    if (tokens <= this.#capacity) return;
    const capacity = Math.min(this.#limit, Math.max(tokens, 2 * this.#capacity));
    for (const buffer of this.#buffers) {
      const old = buffer.tensor;
      const next = this.#make(buffer.pair, capacity);
      eachHead(buffer.pair, this.#type, length, this.#capacity, capacity, (from, to, size) => this.#ort.bytes(next.pointer + to, size).set(this.#ort.bytes(old.pointer + from, size)));
      buffer.tensor = next;
      this.#drop(old);
    }
    this.#capacity = capacity;
  }

  #make({ heads, headSize }: KvPair, capacity: number): HeapTensor {
    const dims = [1, heads, capacity, headSize];
    const bytes = heads * capacity * headSize * TYPE_BYTES[this.#type];
    const pointer = this.#ort.alloc(bytes);
    this.#ort.bytes(pointer, bytes).fill(0); // attention adds masked rows times 0, and 0 × NaN is NaN
    return this.#ort.tensor(this.#type, pointer, dims);
  }

  #drop({ handle, pointer }: HeapTensor): void {
    this.#ort.release(handle);
    this.#ort.free(pointer);
  }
}
