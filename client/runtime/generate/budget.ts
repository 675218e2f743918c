/**
 * How many tokens one call may still use. Pure but for the waiting.
 *
 * - The hold counts prompt and answers together; it grows while the call runs, as notes say.
 * - Where it is used up, `ask` says so, and `isLeft` waits for the note that answers: a larger hold, or that there is none.
 */
import type { GenerateNote } from "../tasks/text-generation/request.ts";
import type { Step } from "../tasks/task.ts";

const WAIT_MS = 20;

export class Budget {
  #hold: number;
  #used = 0;
  #isLast = false;
  readonly #notes: () => readonly GenerateNote[];
  readonly #ask: () => void;

  constructor(hold: number | null, notes: () => readonly GenerateNote[], ask: () => void) {
    this.#hold = hold ?? Infinity;
    this.#notes = notes;
    this.#ask = ask;
  }

  use(tokens: number): void {
    this.#used += tokens;
  }

  /** Whether one more token is held. */
  async isLeft(step: Step): Promise<boolean> {
    for (let hasAsked = false; ; ) {
      for (const note of this.#notes()) {
        if (note.kind === "hold") this.#hold = note.tokens;
        else this.#isLast = true;
      }
      if (this.#used < this.#hold) return true;
      if (this.#isLast) return false;
      if (!hasAsked) this.#ask();
      hasAsked = true;
      await new Promise((resolve) => {
        setTimeout(resolve, WAIT_MS);
      });
      await step();
    }
  }
}
