/**
 * What was last read of a source that is too large for memory, so that small reads one after another cost one.
 *
 * - `bytes` begins at `start` in the source; both change when more is read.
 */
import { OnnxError } from "./error.ts";
import type { ByteSource } from "./source.ts";

/** After a jump little is read, for a weight may follow; then more and more. */
const FIRST_WINDOW = 16 * 1024;
const MAX_WINDOW = 1024 * 1024;

export class ByteWindow {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  readonly #source: ByteSource;
  #next = FIRST_WINDOW;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** From then on it holds `length` bytes from the position on, or all to the source's end. */
  async fill(position: number, length: number): Promise<void> {
    const { size } = this.#source;
    const end = this.start + this.bytes.length;
    const isInside = position >= this.start && position <= end;
    if (isInside && (position + length <= end || end === size)) return;
    this.#next = isInside ? Math.min(this.#next * 2, MAX_WINDOW) : FIRST_WINDOW;
    this.bytes = await this.read(position, Math.min(Math.max(length, this.#next), size - position));
    this.start = position;
  }

  /** Where it holds them. Good until more is read. */
  viewSoon(offset: number, length: number): Uint8Array | undefined {
    const at = offset - this.start;
    return at < 0 || at + length > this.bytes.length ? undefined : this.bytes.subarray(at, at + length);
  }

  /** Past the window. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.#source.read(offset, length);
    if (bytes.length !== length) throw new OnnxError("truncated", `the source gave ${bytes.length} of ${length} bytes at ${offset}`);
    return bytes;
  }
}
