/**
 * How many tokens one call may still use. Pure but for the waiting.
 *
 * - The hold counts prompt and answers together; it grows while the call runs, as notes say.
 * - Where it is used up and another one is on its way, `isLeft` waits for it.
 */
import type { GenerateNote } from "../tasks/text-generation/request.ts";
import type { Step } from "../tasks/task.ts";

const WAIT_MS = 20;

export class Budget {
  #hold: number;
  #used = 0;
  #isMoreComing = false;
  readonly #notes: () => readonly GenerateNote[];

  constructor(hold: number | null, notes: () => readonly GenerateNote[]) {
    this.#hold = hold ?? Infinity;
    this.#notes = notes;
  }

  use(tokens: number): void {
    this.#used += tokens;
  }

  /** Whether one more token is held. */
  async isLeft(step: Step): Promise<boolean> {
    for (;;) {
      for (const note of this.#notes()) {
        if (note.kind === "hold") this.#hold = note.tokens;
        this.#isMoreComing = note.kind === "wait";
      }
      if (this.#used < this.#hold) return true;
      if (!this.#isMoreComing) return false;
      await new Promise((resolve) => {
        setTimeout(resolve, WAIT_MS);
      });
      await step();
    }
  }
}
