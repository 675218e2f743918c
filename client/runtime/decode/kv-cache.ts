/**
 * Where a decoder's keys and values are between runs, in the WASM heap.
 *
 * - Each run takes `inputs` and `outputs`, in the order of the graph's pairs, and then tells `advance` what came out.
 * - Saved bytes are dense: head after head, token after token.
 */
import { TYPE_BYTES } from "../backends/ort-module.ts";
import type { KvPair, KvType } from "./decoder.ts";

export interface KvCache {
  /** Handles for a run that takes the sequence from `length` to `total` tokens. */
  inputs(total: number, length: number): number[];
  outputs(): number[];
  advance(made: readonly number[]): void;
  /** Forgets the tokens from `length` on. */
  truncate(length: number): void;
  save(length: number): Uint8Array[];
  restore(length: number, saved: readonly Uint8Array[]): void;
  close(): void;
}

/** Of one head. */
export const tokenBytes = ({ headSize }: KvPair, type: KvType): number => headSize * TYPE_BYTES[type];

export const kvBytesPerToken = (kv: readonly KvPair[], type: KvType): number => kv.reduce((sum, pair) => sum + pair.heads * tokenBytes(pair, type), 0);

/** Where the first `length` tokens of each head lie, in two buffers with room for different numbers of tokens. */
export function eachHead(pair: KvPair, type: KvType, length: number, fromCapacity: number, toCapacity: number, copy: (from: number, to: number, size: number) => void): void {
  eachStretch(pair.heads, tokenBytes(pair, type), length, fromCapacity, toCapacity, copy);
}

/** The same; `token`: bytes of a head's token. */
export function eachStretch(heads: number, token: number, length: number, fromCapacity: number, toCapacity: number, copy: (from: number, to: number, size: number) => void): void {
  for (let head = 0; head < heads; head++) copy(head * fromCapacity * token, head * toCapacity * token, length * token);
}
