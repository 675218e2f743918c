/**
 * A load's place in the pool: taken before the model takes memory, kept once it runs, given back where it never does.
 *
 * - `leave` is for good: a load that still waits for room then takes none.
 */
import type { GiveBack, Pool } from "../pool/pool.ts";

export class PlaceInPool {
  readonly #pool: Pool;
  readonly #model: string;
  readonly #bytes: number;
  readonly #isBeside: boolean;
  readonly #left = new AbortController();
  #giveBack: GiveBack | null = null;

  /** `isBeside`: a revision runs, and goes on running, while this one is loaded. */
  constructor(pool: Pool, model: string, bytes: number, isBeside: boolean) {
    this.#pool = pool;
    this.#model = model;
    this.#bytes = bytes;
    this.#isBeside = isBeside;
  }

  get isTaken(): boolean {
    return this.#giveBack !== null;
  }

  async take(signal: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([signal, this.#left.signal]);
    this.#giveBack = await (this.#isBeside ? this.#pool.admitBeside(this.#model, this.#bytes, stop) : this.#pool.admit(this.#model, this.#bytes, stop));
    if (this.#left.signal.aborted) this.leave();
  }

  /** It runs. What ran beside it takes its share until it has ended, which whoever ends it tells the pool. */
  keep(): void {
    if (!this.#isBeside) this.#pool.ready(this.#model);
  }

  leave(): void {
    this.#left.abort();
    this.#giveBack?.();
    this.#giveBack = null;
  }
}
