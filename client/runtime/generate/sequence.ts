/**
 * The decoder's sequence, with what is in it, so that a prompt costs only what it doesn't share with the ones before.
 *
 * - `prefill` keeps the longest common prefix with what is computed and computes the rest; the last token of a prompt
 *   is always computed, for its logits.
 * - Where it is to be exact, only what was computed in whole pieces from the beginning on is kept: in pieces of other
 *   lengths sums come in another order, and their last bits differ.
 * - A conversation that another one pushes out is set aside and taken up again where it goes on; at most `KEPT` of
 *   them, in the bytes that there are for it; the least recently used goes first. One that has no room is not copied.
 * - Whatever is thrown, the sequence is what the decoder holds.
 */
import type { Decoder, NextToken, SavedSequence } from "../decode/decoder.ts";
import type { Step } from "../tasks/task.ts";

const KEPT = 4;
/** Whatever there is. */
const MOST_BYTES = 256 * 1024 * 1024;
/** What decoders take at once, or a multiple of it. */
const PIECE = 64;
/** Copying less than this is not worth it. */
const WORTH_KEEPING = 48;

interface Kept {
  readonly ids: readonly number[];
  readonly exact: number;
  readonly saved: SavedSequence;
}

export class Sequence {
  readonly decoder: Decoder;
  readonly #ids: number[] = [];
  #kept: Kept[] = [];
  readonly #keptBytes: number;
  /** So many of the first tokens were computed in whole pieces. */
  #exact = 0;
  /** Of a token that is set aside; 0 while that isn't known. */
  #tokenBytes = 0;

  constructor(decoder: Decoder, keptBytes = MOST_BYTES) {
    this.decoder = decoder;
    this.#keptBytes = Math.min(MOST_BYTES, keptBytes);
  }

  get length(): number {
    return this.#ids.length;
  }

  /** Makes the sequence the prompt; tells how much of it was there. `isExact`: to the last bit what it always is. */
  async prefill(prompt: readonly number[], step: Step, isExact = false): Promise<{ readonly next: NextToken; readonly cachedTokens: number }> {
    let shared = commonPrefix(this.#ids, prompt);
    const better = this.#kept.reduce<Kept | null>((best, kept) => (commonPrefix(kept.ids, prompt) > Math.max(shared, best ? commonPrefix(best.ids, prompt) : 0) ? kept : best), null);
    if (this.#ids.length - shared >= WORTH_KEEPING) await this.#keep();
    if (better && commonPrefix(better.ids, prompt) - shared >= WORTH_KEEPING) {
      await this.decoder.restore(better.saved);
      this.#ids.splice(0, this.#ids.length, ...better.ids);
      this.#exact = better.exact;
      this.#kept = this.#kept.filter((kept) => kept !== better);
      shared = commonPrefix(better.ids, prompt);
    }
    const usable = Math.min(shared, prompt.length - 1);
    const cachedTokens = isExact ? wholePieces(Math.min(usable, this.#exact)) : usable;
    await this.truncate(cachedTokens);
    if (!isExact) return { next: await this.feed(prompt.slice(cachedTokens), step), cachedTokens };
    for (let at = cachedTokens; ; at += PIECE) {
      const next = await this.feed(prompt.slice(at, at + PIECE), step);
      this.#exact = wholePieces(this.#ids.length);
      if (at + PIECE >= prompt.length) return { next, cachedTokens };
    }
  }

  async feed(ids: readonly number[], step: Step): Promise<NextToken> {
    const before = this.#ids.length;
    try {
      const next = await this.decoder.feed(Int32Array.from(ids), step);
      this.#ids.push(...ids);
      return next;
    } catch (error) {
      this.#ids.push(...ids.slice(0, this.decoder.position - before));
      throw error;
    }
  }

  async truncate(length: number): Promise<void> {
    if (length < this.#ids.length) await this.decoder.truncate(length);
    this.#ids.length = Math.min(length, this.#ids.length);
    this.#exact = Math.min(length, this.#exact);
  }

  /** Sets the present sequence aside, in place of one that it goes on from. */
  async #keep(): Promise<void> {
    const ids = [...this.#ids];
    if (this.#tokenBytes * ids.length > this.#keptBytes) return;
    const saved = await this.decoder.save();
    this.#tokenBytes = sizeOf(saved) / ids.length;
    const others = this.#kept.filter((kept) => commonPrefix(kept.ids, ids) < kept.ids.length);
    const all = [{ ids, saved, exact: this.#exact }, ...others].slice(0, KEPT);
    let bytes = 0;
    this.#kept = all.filter((kept) => (bytes += sizeOf(kept.saved)) <= this.#keptBytes);
  }
}

export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}

const wholePieces = (tokens: number): number => tokens - (tokens % PIECE);
const sizeOf = ({ bytes }: SavedSequence): number => bytes.reduce((sum, { byteLength }) => sum + byteLength, 0);
