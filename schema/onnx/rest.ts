/**
 * Where long work lets others have the thread: once in so many steps. Counted and not timed, for a Worker's clock stands
 * still while it works.
 */

/** Some milliseconds of work. */
const STEPS = 2048;

export class Rest {
  readonly #pause: () => Promise<void>;
  #steps = 0;

  constructor(pause: () => Promise<void>) {
    this.#pause = pause;
  }

  /** One more step: wait for what it gives, where it gives anything. */
  due(): Promise<void> | undefined {
    if (++this.#steps % STEPS !== 0) return undefined;
    return this.#pause();
  }
}
