/**
 * Tells how many tokens there are where no text tells of them: in a tool call, in what may become a stop string, in a
 * character that is not whole. Pure but for the clock.
 *
 * - What was told is behind by less than `EVERY_TOKENS` tokens, or by those of `EVERY_MS`.
 */
const EVERY_TOKENS = 8;
const EVERY_MS = 250;

export class Counts {
  readonly #tell: (tokens: number) => void;
  readonly #now: () => number;
  #told = 0;
  #toldAt = -Infinity;

  constructor(tell: (tokens: number) => void, now: () => number) {
    this.#tell = tell;
    this.#now = now;
  }

  /** Something else told it. */
  told(tokens: number): void {
    this.#told = tokens;
    this.#toldAt = this.#now();
  }

  /** After each token. */
  look(tokens: number): void {
    if (tokens === this.#told) return;
    if (tokens - this.#told < EVERY_TOKENS && this.#now() - this.#toldAt < EVERY_MS) return;
    this.told(tokens);
    this.#tell(tokens);
  }
}
