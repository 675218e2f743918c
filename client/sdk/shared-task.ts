/**
 * One piece of work with several callers: a model that two calls wait for is loaded once.
 *
 * - Each caller has its own signal; one that leaves gets `aborted`, the work goes on for the others.
 * - The work is stopped when the last caller has left before its end; a stopped task can't be joined any more.
 * - A caller who joins late hears the latest progress at once.
 */
import { LeaseholdError } from "../errors.ts";

export interface Caller<P> {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: P) => void;
}

export class SharedTask<T, P> {
  /** The work's end, for those who don't count as callers. */
  readonly result: Promise<T>;
  readonly #stop = new AbortController();
  readonly #callers = new Set<Caller<P>>();
  #latest: P | undefined;
  #isOver = false;

  constructor(work: (signal: AbortSignal, onProgress: (progress: P) => void) => Promise<T>) {
    this.result = work(this.#stop.signal, (progress) => {
      this.#latest = progress;
      for (const caller of this.#callers) caller.onProgress?.(progress);
    });
    const end = () => {
      this.#isOver = true;
    };
    this.result.then(end, end);
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  stop(): void {
    if (!this.#isOver) this.#stop.abort();
  }

  async join(caller: Caller<P>): Promise<T> {
    const { signal, onProgress } = caller;
    const left = Promise.withResolvers<never>();
    const leave = () => {
      left.reject(new LeaseholdError("aborted", "Stopped.", { cause: signal?.reason }));
      this.#callers.delete(caller);
      if (this.#callers.size === 0) this.stop();
    };
    this.#callers.add(caller);
    if (signal?.aborted) leave();
    else signal?.addEventListener("abort", leave, { once: true });
    if (this.#latest !== undefined && !this.#isOver) onProgress?.(this.#latest);
    try {
      return await Promise.race([left.promise, this.result]);
    } finally {
      this.#callers.delete(caller);
      signal?.removeEventListener("abort", leave);
    }
  }
}
