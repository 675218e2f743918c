/**
 * Keys and values of graphs that join each past with what is new: a run's output is the next run's input, as it is.
 *
 * - onnxruntime owns what it made; the first, and what `truncate` and `restore` make, lies on memory taken here.
 */
import { type HeapTensor, type OrtModule, TYPE_BYTES } from "../backends/ort-module.ts";
import type { KvPair, KvType } from "./decoder.ts";
import { eachHead, type KvCache } from "./kv-cache.ts";

interface Held {
  readonly handle: number;
  /** Memory taken here, to be given back with the value. */
  readonly own: number | null;
}

export class KvGrowing implements KvCache {
  readonly #ort: OrtModule;
  readonly #kv: readonly KvPair[];
  readonly #type: KvType;
  #held: readonly Held[];
  #length = 0;

  constructor(ort: OrtModule, kv: readonly KvPair[], type: KvType) {
    this.#ort = ort;
    this.#kv = kv;
    this.#type = type;
    this.#held = kv.map((pair) => this.#own(this.#make(pair, 0)));
  }

  inputs(total: number): number[] {
    this.#length = total;
    return this.#held.map(({ handle }) => handle);
  }

  outputs(): number[] {
    return this.#kv.map(() => 0);
  }

  advance(made: readonly number[]): void {
    this.#replace(made.map((handle) => ({ handle, own: null })));
  }

  truncate(length: number): void {
    if (length !== this.#length) this.restore(length, this.save(length));
  }

  save(length: number): Uint8Array[] {
    return this.#kv.map((pair, index) => {
      const { pointer } = this.#ort.read(this.#held[index]?.handle ?? 0);
      const saved = new Uint8Array(length * pair.headSize * TYPE_BYTES[this.#type] * pair.heads);
      eachHead(pair, this.#type, length, this.#length, length, (from, to, size) => saved.set(this.#ort.bytes(pointer + from, size), to));
      return saved;
    });
  }

  restore(length: number, saved: readonly Uint8Array[]): void {
    this.#replace(
      this.#kv.map((pair, index) => {
        const tensor = this.#make(pair, length);
        const bytes = saved[index] ?? new Uint8Array();
        this.#ort.bytes(tensor.pointer, bytes.length).set(bytes);
        return this.#own(tensor);
      }),
    );
    this.#length = length;
  }

  close(): void {
    this.#replace([]);
  }

  #make({ heads, headSize }: KvPair, length: number): HeapTensor {
    const pointer = this.#ort.alloc(Math.max(1, heads * length * headSize * TYPE_BYTES[this.#type]));
    return this.#ort.tensor(this.#type, pointer, [1, heads, length, headSize]);
  }

  #own = ({ handle, pointer }: HeapTensor): Held => ({ handle, own: pointer });

  #replace(next: readonly Held[]): void {
    for (const { handle, own } of this.#held) {
      this.#ort.release(handle);
      if (own !== null) this.#ort.free(own);
    }
    this.#held = next;
  }
}
