/**
 * Tells a worker at work whether messages wait for it, so that it need not stop to find out: a count of what was sent,
 * in memory that both see. Stopping takes a tenth of a millisecond, which is much for a token of five.
 *
 * - Who sends rings after each message; who receives counts them. Where the counts differ something may be waiting.
 * - An abort is to be looked for also where it was received between two looks, while a graphics device was waited for.
 * - Without shared memory there is no bell, and the worker stops each time.
 */
import { hasSharedMemory } from "./shared-memory.ts";

export type Bell = Int32Array<SharedArrayBuffer>;

export const newBell = (): Bell | null => (hasSharedMemory() ? new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) : null);

export function ring(bell: Bell): void {
  Atomics.add(bell, 0, 1);
}

/** A worker stops as often as this although nobody rang: timers and what the browser wants of it have their turn. */
const LONGEST_MS = 50;

/** The worker's side. */
export class Listening {
  #bell: Bell | null = null;
  #received = 0;
  #hasAbort = false;
  #stoppedAt = -Infinity;

  /** Counts begin at what is received from now on. */
  to(bell: Bell | null): void {
    this.#bell = bell;
  }

  received(isAbort: boolean): void {
    this.#received = (this.#received + 1) | 0;
    this.#hasAbort ||= isAbort;
  }

  /** Whether the worker should stop for messages. */
  isDue(now: number): boolean {
    return this.#bell === null || this.#hasAbort || Atomics.load(this.#bell, 0) !== this.#received || now - this.#stoppedAt >= LONGEST_MS;
  }

  stopped(now: number): void {
    this.#hasAbort = false;
    this.#stoppedAt = now;
  }
}
