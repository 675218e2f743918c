/**
 * What is posted to each window: the table `windows`, by scope and day, and the sums of its months.
 *
 * - Kept in memory once read, and in step with the table by `add`: a grant reads five windows and writes none.
 * - What is kept stands in the store's memory, so a transaction that is undone takes it along.
 * - A month is the sum of its days.
 */
import { type DayName, monthOf } from "./calendar.ts";
import type { Row, Store } from "./store.ts";

interface Posted {
  readonly tokens: number;
  readonly nanos: number;
}

interface PostedRow extends Row {
  tokens: number | null;
  nanos: number | null;
}

const MAX_KEPT = 10_000;

const nameOf = (scope: string, period: string) => `${period} ${scope}`;

export class Postings {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  of(scope: string, day: DayName): Posted {
    return this.#get(scope, day, () => this.#store.first<PostedRow>("SELECT posted AS tokens, posted_nanos AS nanos FROM windows WHERE scope = ? AND day = ?", scope, day));
  }

  ofMonth(scope: string, month: string): Posted {
    return this.#get(scope, month, () =>
      this.#store.first<PostedRow>("SELECT sum(posted) AS tokens, sum(posted_nanos) AS nanos FROM windows WHERE scope = ? AND day BETWEEN ? AND ?", scope, `${month}-01`, `${month}-31`),
    );
  }

  /** Adds to the day, and so to its month. */
  add(scope: string, day: DayName, { tokens, nanos }: Posted): void {
    this.#store.run(
      `INSERT INTO windows (scope, day, posted, posted_nanos) VALUES (?, ?, ?, ?)
       ON CONFLICT (scope, day) DO UPDATE SET posted = posted + excluded.posted, posted_nanos = posted_nanos + excluded.posted_nanos`,
      scope, day, tokens, nanos,
    );
    for (const period of [day, monthOf(day)]) {
      const before = this.#kept.get(nameOf(scope, period));
      if (before) this.#kept.set(nameOf(scope, period), { tokens: before.tokens + tokens, nanos: before.nanos + nanos });
    }
  }

  /** Forgets the tenant's own windows of days before `tenantBefore`, and all others of days before `before`. */
  forget(before: DayName, tenantBefore: DayName): void {
    this.#store.run("DELETE FROM windows WHERE (scope <> 't' AND day < ?) OR day < ?", before, tenantBefore);
    this.#kept.clear();
  }

  get #kept(): Map<string, Posted> {
    return this.#store.recall("postings", [], () => new Map<string, Posted>());
  }

  #get(scope: string, period: string, read: () => PostedRow | null): Posted {
    const kept = this.#kept;
    const before = kept.get(nameOf(scope, period));
    if (before) return before;
    const row = read();
    const posted = { tokens: row?.tokens ?? 0, nanos: row?.nanos ?? 0 };
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(nameOf(scope, period), posted);
    return posted;
  }
}
