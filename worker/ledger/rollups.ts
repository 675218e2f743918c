/**
 * The sums that the object keeps of its records: usage by day, model and user, and the tallies of its metrics.
 *
 * - They follow the outbox: `fold` counts what they do not count yet, in one transaction with its mark, each record
 *   once. It runs before anything reads them and before a record leaves the outbox, so that a usage report itself
 *   writes no sum: many reports of one day cost one written row.
 * - D1 gets the rows of the days that its batch touched as absolute values.
 */
import type { DayKey, UsageDailyRow } from "../tenants/usage-rows.ts";
import type { CostEntry, OutboxRecord } from "./journal.ts";
import type { OutboxRing } from "./outbox-ring.ts";
import type { Row, Store } from "./store.ts";
import type { TallyBook } from "./tally-book.ts";

const STEP = 500;

type Sum = Omit<UsageDailyRow, "version"> & { version: number };

export class Rollups {
  readonly #store: Store;
  readonly #ring: OutboxRing;
  readonly #tallies: TallyBook;

  constructor(store: Store, ring: OutboxRing, tallies: TallyBook) {
    this.#store = store;
    this.#ring = ring;
    this.#tallies = tallies;
  }

  /** Counts every record that is not counted yet. To be called inside the object's transaction. */
  fold(): void {
    while (this.#ring.folded < this.#ring.newest.seq) {
      const records = this.#ring.after(this.#ring.folded, STEP).map(({ record }) => record);
      const sums = sumsOf(records);
      for (const sum of sums) this.#add(sum);
      const last = (records.at(-1) as OutboxRecord).event.seq;
      this.#tallies.add(records, last);
      this.#ring.fold(last, sums.length > 0);
    }
  }

  /** The days that these records touched, as they stand. */
  daysOf(records: readonly OutboxRecord[]): UsageDailyRow[] {
    const touched = sumsOf(records).map(({ day, model, user_id }) => ({ day, model, user_id }));
    if (touched.length === 0) return [];
    return this.#store.all<UsageDailyRow & Row>(
      `SELECT day, model, user_id, input_tokens, output_tokens, unreported_tokens, calls, cost_nanos, version FROM usage_daily
       WHERE (day, model, user_id) IN (SELECT value ->> '$.day', value ->> '$.model', value ->> '$.user_id' FROM json_each(?))`,
      JSON.stringify(touched),
    );
  }

  /** The sums after one key: `limit` of them, or all up to another key. */
  between(after: DayKey, upTo: DayKey | null, limit: number): UsageDailyRow[] {
    const { day, model, user_id } = upTo ?? { day: null, model: null, user_id: null };
    return this.#store.all<UsageDailyRow & Row>(
      `SELECT day, model, user_id, input_tokens, output_tokens, unreported_tokens, calls, cost_nanos, version FROM usage_daily
       WHERE (day, model, user_id) > (?1, ?2, ?3) AND (?4 IS NULL OR (day, model, user_id) <= (?4, ?5, ?6)) ORDER BY day, model, user_id LIMIT ?7`,
      after.day, after.model, after.user_id, day, model, user_id, limit,
    );
  }

  /** Days whose postings are not their sums. Postings are forgotten before the sums are: those days are not judged. */
  unlikePostings(): string[] {
    return this.#store
      .all<{ day: string }>(
        `SELECT day FROM (
           SELECT day, input_tokens + output_tokens + unreported_tokens AS tokens, cost_nanos AS nanos FROM usage_daily
           UNION ALL SELECT day, -posted, -posted_nanos FROM windows WHERE scope = 't'
         ) WHERE day >= (SELECT min(day) FROM windows WHERE scope = 't') GROUP BY day HAVING sum(tokens) <> 0 OR sum(nanos) <> 0 ORDER BY day`,
      )
      .map(({ day }) => day);
  }

  #add(sum: Sum): void {
    this.#store.run(
      `INSERT INTO usage_daily (day, model, user_id, input_tokens, output_tokens, unreported_tokens, calls, cost_nanos, version)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (day, model, user_id) DO UPDATE SET
         input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
         unreported_tokens = unreported_tokens + excluded.unreported_tokens, calls = calls + excluded.calls,
         cost_nanos = cost_nanos + excluded.cost_nanos, version = excluded.version`,
      sum.day, sum.model, sum.user_id, sum.input_tokens, sum.output_tokens, sum.unreported_tokens, sum.calls, sum.cost_nanos, sum.version,
    );
  }
}

/** One sum for each day, model and user that the records name. Pure. */
function sumsOf(records: readonly OutboxRecord[]): Sum[] {
  const sums = new Map<string, Sum>();
  for (const { cost, event } of records) {
    if (!cost) continue;
    const name = JSON.stringify([cost.day, cost.model, event.user]);
    sums.set(name, added(sums.get(name), cost, event.user ?? "", event.seq));
  }
  return [...sums.values()];
}

const added = (sum: Sum | undefined, cost: CostEntry, user: string, version: number): Sum => ({
  day: cost.day,
  model: cost.model,
  user_id: user,
  input_tokens: (sum?.input_tokens ?? 0) + cost.inputTokens,
  output_tokens: (sum?.output_tokens ?? 0) + cost.outputTokens,
  unreported_tokens: (sum?.unreported_tokens ?? 0) + cost.unreportedTokens,
  calls: (sum?.calls ?? 0) + cost.calls,
  cost_nanos: (sum?.cost_nanos ?? 0) + cost.costNanos,
  version,
});
