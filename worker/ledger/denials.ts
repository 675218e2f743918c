/**
 * Counts refusals so that a flood of them writes little: the first of a reason is written at once, those of the
 * following minute are counted in memory and written as one event with their number when the minute is over.
 *
 * An object that is evicted in mid-minute loses that count, never a balance: a denial changes none.
 */
import type { ProblemCode } from "../../schema/contract/problems.ts";

const MINUTE_MS = 60_000;

interface Counter {
  since: number;
  suppressed: number;
}

export class Denials {
  readonly #counters = new Map<ProblemCode, Counter>();

  /** How many refusals one event written now should speak for; 0: write none. */
  count(code: ProblemCode, now: number): number {
    const counter = this.#counters.get(code);
    if (counter && now < counter.since + MINUTE_MS) {
      counter.suppressed += 1;
      return 0;
    }
    this.#counters.set(code, { since: now, suppressed: 0 });
    return 1 + (counter?.suppressed ?? 0);
  }

  /** The counts whose minute is over, taken out. */
  takeDue(now: number): { code: ProblemCode; count: number }[] {
    const due: { code: ProblemCode; count: number }[] = [];
    for (const [code, counter] of this.#counters) {
      if (now < counter.since + MINUTE_MS) continue;
      this.#counters.delete(code);
      if (counter.suppressed > 0) due.push({ code, count: counter.suppressed });
    }
    return due;
  }

  /** When the next count falls due; null where nothing is counted. */
  nextDue(): number | null {
    let next: number | null = null;
    for (const { since, suppressed } of this.#counters.values()) {
      if (suppressed > 0 && (next === null || since + MINUTE_MS < next)) next = since + MINUTE_MS;
    }
    return next;
  }
}
