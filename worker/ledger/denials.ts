/**
 * Counts refusals so that a flood of them writes little: the first of a reason is written at once, those of the
 * following minute are counted and written as one event with their number when the minute is over.
 *
 * - Counted in memory, so that a refusal writes nothing, and noted in the table by an alarm at most every ten seconds: an
 *   object that dies loses the count of its last ten seconds at most, and never a balance: a denial changes none.
 * - `reload` is to be called where a transaction was undone.
 */
import type { ProblemCode } from "../../schema/contract/problems.ts";
import type { Row, Store } from "./store.ts";

const MINUTE_MS = 60_000;
const NOTE_MS = 10_000;

interface Counter {
  readonly since: number;
  suppressed: number;
  /** When the first was counted that the table does not know of; null: it knows of all. */
  unnotedSince: number | null;
}

interface DenialRow extends Row {
  code: string;
  since: number;
  suppressed: number;
}

export class Denials {
  readonly #store: Store;
  readonly #counters = new Map<ProblemCode, Counter>();

  constructor(store: Store) {
    this.#store = store;
    this.reload();
  }

  reload(): void {
    this.#counters.clear();
    for (const { code, since, suppressed } of this.#store.all<DenialRow>("SELECT code, since, suppressed FROM denials")) {
      this.#counters.set(code as ProblemCode, { since, suppressed, unnotedSince: null });
    }
  }

  /** How many refusals one event written now should speak for; 0: write none. `refusals`: so many have come. */
  count(code: ProblemCode, now: number, refusals = 1): number {
    const counter = this.#counters.get(code);
    if (counter && now < counter.since + MINUTE_MS) {
      counter.suppressed += refusals;
      counter.unnotedSince ??= now;
      return 0;
    }
    const next = { since: now, suppressed: 0, unnotedSince: null };
    this.#counters.set(code, next);
    this.#note(code, next);
    return refusals + (counter?.suppressed ?? 0);
  }

  /** The counts whose minute is over, taken out. */
  takeDue(now: number): { code: ProblemCode; count: number }[] {
    const due: { code: ProblemCode; count: number }[] = [];
    for (const [code, counter] of this.#counters) {
      if (now < counter.since + MINUTE_MS) continue;
      this.#counters.delete(code);
      this.#store.run("DELETE FROM denials WHERE code = ?", code);
      if (counter.suppressed > 0) due.push({ code, count: counter.suppressed });
    }
    return due;
  }

  /** Notes the counts that have waited for it long enough. */
  noteDue(now: number): void {
    for (const [code, counter] of this.#counters) {
      if (counter.unnotedSince !== null && now >= counter.unnotedSince + NOTE_MS) this.#note(code, counter);
    }
  }

  /** When the next count falls due, or is to be noted; null where nothing is counted. */
  nextDue(): number | null {
    let next: number | null = null;
    for (const { since, suppressed, unnotedSince } of this.#counters.values()) {
      if (suppressed === 0) continue;
      const due = Math.min(since + MINUTE_MS, unnotedSince === null ? Number.POSITIVE_INFINITY : unnotedSince + NOTE_MS);
      if (next === null || due < next) next = due;
    }
    return next;
  }

  #note(code: ProblemCode, counter: Counter): void {
    counter.unnotedSince = null;
    this.#store.run(
      "INSERT INTO denials (code, since, suppressed) VALUES (?, ?, ?) ON CONFLICT (code) DO UPDATE SET since = excluded.since, suppressed = excluded.suppressed",
      code, counter.since, counter.suppressed,
    );
  }
}
