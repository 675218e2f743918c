/**
 * Counts refusals so that a flood of them writes little: the first of a reason is written at once, those of the
 * following minute are counted and written as one event with their number when the minute is over.
 *
 * - Counted in memory, and noted in the table at most once a second for a reason: an object that dies or is put away in
 *   mid-minute loses the count of its last second at most, and never a balance: a denial changes none.
 * - `reload` is to be called where a transaction was undone.
 */
import type { ProblemCode } from "../../schema/contract/problems.ts";
import type { Row, Store } from "./store.ts";

const MINUTE_MS = 60_000;
const NOTE_MS = 1_000;

interface Counter {
  readonly since: number;
  suppressed: number;
  notedAt: number;
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
      this.#counters.set(code as ProblemCode, { since, suppressed, notedAt: since });
    }
  }

  /** How many refusals one event written now should speak for; 0: write none. */
  count(code: ProblemCode, now: number): number {
    const counter = this.#counters.get(code);
    if (counter && now < counter.since + MINUTE_MS) {
      counter.suppressed += 1;
      if (now >= counter.notedAt + NOTE_MS) this.#note(code, counter, now);
      return 0;
    }
    const next = { since: now, suppressed: 0, notedAt: now };
    this.#counters.set(code, next);
    this.#note(code, next, now);
    return 1 + (counter?.suppressed ?? 0);
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

  /** When the next count falls due; null where nothing is counted. */
  nextDue(): number | null {
    let next: number | null = null;
    for (const { since, suppressed } of this.#counters.values()) {
      if (suppressed > 0 && (next === null || since + MINUTE_MS < next)) next = since + MINUTE_MS;
    }
    return next;
  }

  #note(code: ProblemCode, counter: Counter, now: number): void {
    counter.notedAt = now;
    this.#store.run(
      "INSERT INTO denials (code, since, suppressed) VALUES (?, ?, ?) ON CONFLICT (code) DO UPDATE SET since = excluded.since, suppressed = excluded.suppressed",
      code, counter.since, counter.suppressed,
    );
  }
}
