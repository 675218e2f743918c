/**
 * A load's place in the pool: taken before the model takes memory, kept once it runs, given back where it never does.
 *
 * - `leave` is for good: a load that still waits for room then takes none.
 */
import type { Pool } from "../pool/pool.ts";

export class PlaceInPool {
  readonly #pool: Pool;
  readonly #model: string;
  readonly #bytes: number;
  readonly #besideBytes: number | null;
  readonly #left = new AbortController();
  #isTaken = false;

  /** `besideBytes`: of the revision that runs, and goes on running, while this one is loaded; null where none does. */
  constructor(pool: Pool, model: string, bytes: number, besideBytes: number | null) {
    this.#pool = pool;
    this.#model = model;
    this.#bytes = bytes;
    this.#besideBytes = besideBytes;
  }

  get isTaken(): boolean {
    return this.#isTaken;
  }

  async take(signal: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([signal, this.#left.signal]);
    await (this.#besideBytes === null ? this.#pool.admit(this.#model, this.#bytes, stop) : this.#pool.admitBeside(this.#model, this.#bytes, stop));
    this.#isTaken = true;
    if (this.#left.signal.aborted) this.#giveBack();
  }

  /** It runs. What ran beside it takes its share until it has ended, which whoever ends it tells the pool. */
  keep(): void {
    if (this.#besideBytes === null) this.#pool.ready(this.#model);
  }

  leave(): void {
    this.#left.abort();
    if (this.#isTaken) this.#giveBack();
  }

  #giveBack(): void {
    this.#isTaken = false;
    if (this.#besideBytes === null) this.#pool.gone(this.#model);
    else this.#pool.shrink(this.#model, this.#besideBytes);
  }
}
