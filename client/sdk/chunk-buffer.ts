/** A chunk as it comes in: what came before a break is not asked for again. One byte longer than the chunk, so that too many are seen. */
import type { Chunk } from "../../schema/contract/models.ts";

export class ChunkBuffer {
  filled = 0;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  constructor({ size }: Chunk) {
    this.#bytes = new Uint8Array(size + 1);
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.filled);
  }

  clear(): void {
    this.filled = 0;
  }

  /** Says whether more would fit. */
  add(part: Uint8Array): boolean {
    const fitting = part.subarray(0, this.#bytes.length - this.filled);
    this.#bytes.set(fitting, this.filled);
    this.filled += fitting.length;
    return this.filled < this.#bytes.length;
  }
}
