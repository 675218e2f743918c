/**
 * One at a time, by priority, then in order of arrival. Whoever waits can leave at once by its signal.
 *
 * - A turn ends when what `take` gave is called; calling it again changes nothing.
 */
import { LeaseholdError } from "../errors.ts";

export type Priority = "high" | "normal" | "low";

const RANK: Record<Priority, number> = { high: 0, normal: 1, low: 2 };

interface Waiting {
  readonly rank: number;
  readonly begin: () => void;
}

export class Turns {
  readonly #queue: Waiting[] = [];
  #isTaken = false;

  /** How many wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  get isIdle(): boolean {
    return !this.#isTaken;
  }

  async take(priority: Priority = "normal", signal?: AbortSignal): Promise<() => void> {
    if (signal?.aborted) throw stopped(signal);
    if (this.#isTaken) await this.#wait(RANK[priority], signal);
    this.#isTaken = true;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const next = this.#queue.shift();
      if (next) next.begin();
      else this.#isTaken = false;
    };
  }

  #wait(rank: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        rank,
        begin: () => {
          signal?.removeEventListener("abort", leave);
          resolve();
        },
      };
      const leave = () => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1);
        reject(stopped(signal));
      };
      signal?.addEventListener("abort", leave, { once: true });
      const behind = this.#queue.findIndex((other) => other.rank > rank);
      this.#queue.splice(behind < 0 ? this.#queue.length : behind, 0, waiting);
    });
  }
}

const stopped = (signal?: AbortSignal) => new LeaseholdError("aborted", "Stopped.", { cause: signal?.reason });
