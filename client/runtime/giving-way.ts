/**
 * How a load gives way to the calls that run beside it.
 *
 * - While none runs, nothing waits.
 * - Beside calls a load works for a sixth of the time: after each piece of work it rests for five times as long as that
 *   took.
 * - No rest is longer than a second, and the last call's end ends it: a load is late by a stated part, and never starves.
 * - What can't be divided (a session's creation) runs in one piece, and the rest comes after it.
 */
const RESTS_PER_WORK = 5;
const LONGEST_REST_MS = 1000;

/** Pure. */
export const restAfter = (workMs: number, areCallsUnderWay: boolean): number => (areCallsUnderWay ? Math.min(LONGEST_REST_MS, RESTS_PER_WORK * workMs) : 0);

export class GivingWay {
  readonly #now: () => number;
  #areCallsUnderWay = false;
  #workedFrom: number;
  #wake: (() => void) | null = null;
  #turn: Promise<void> = Promise.resolve();

  constructor(now = () => performance.now()) {
    this.#now = now;
    this.#workedFrom = now();
  }

  /** Whether calls are under way, from now on. */
  hear(areCallsUnderWay: boolean): void {
    this.#areCallsUnderWay = areCallsUnderWay;
    if (!areCallsUnderWay) this.#wake?.();
  }

  /** What came before was waiting, no work. */
  begin(): void {
    this.#workedFrom = this.#now();
  }

  /** Between two pieces of work. */
  async rest(): Promise<void> {
    const ms = restAfter(this.#now() - this.#workedFrom, this.#areCallsUnderWay);
    if (ms > 0) await this.#sleep(ms);
    this.begin();
  }

  /** A piece of work: beside calls one at a time, with its rest; else at once. */
  async piece<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#areCallsUnderWay) return work();
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    this.begin();
    try {
      return await work();
    } finally {
      void this.rest().then(resolve);
    }
  }

  async #sleep(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.#wake = null;
  }
}
