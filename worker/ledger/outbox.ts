/**
 * Carries the outbox to D1: at least once, in order, in batches. Rows leave the outbox only after D1 has them.
 *
 * - One flush at a time; a second caller waits for the first and then for what came meanwhile.
 * - D1 that throws, hangs or answers late changes nothing here: the rows stay, the next flush sends them again, and D1
 *   keeps each once (primary key, versions).
 */
import type { UsageDailyRow, TenantRecords } from "../tenants/records.ts";
import type { OutboxRecord } from "./journal.ts";
import type { Row, Store } from "./store.ts";

const BATCH = 200;
const D1_TIMEOUT_MS = 10_000;

export interface Lag {
  /** Events that D1 does not have yet. */
  readonly events: number;
  /** Why the last flush stopped, where it did. */
  readonly error: string | null;
}

export class Outbox {
  readonly #store: Store;
  readonly #records: TenantRecords;
  #running: Promise<Lag> | null = null;

  constructor(store: Store, records: TenantRecords) {
    this.#store = store;
    this.#records = records;
  }

  get size(): number {
    return this.#store.first<{ n: number }>("SELECT count(*) AS n FROM outbox")?.n ?? 0;
  }

  /** Sends all there is, as far as D1 takes it. Never throws: the lag says what is left and why. */
  async flush(): Promise<Lag> {
    while (this.#running) {
      const lag = await this.#running;
      if (lag.error !== null || this.size === 0) return { ...lag, events: this.size };
    }
    this.#running = this.#sendAll().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #sendAll(): Promise<Lag> {
    try {
      while (await this.#sendBatch());
      return { events: this.size, error: null };
    } catch (cause) {
      const error = cause instanceof Error ? cause.message : String(cause);
      console.warn(JSON.stringify({ level: "warn", message: "the projection to D1 is behind", waiting: this.size, error }));
      return { events: this.size, error };
    }
  }

  async #sendBatch(): Promise<boolean> {
    const rows = this.#store.all<{ seq: number; record: string }>("SELECT seq, record FROM outbox ORDER BY seq LIMIT ?", BATCH);
    const last = rows.at(-1);
    if (!last) return false;
    const records = rows.map((row) => JSON.parse(row.record) as OutboxRecord);
    await withTimeout(this.#records.project(records, this.#daysOf(records)), D1_TIMEOUT_MS);
    this.#store.run("DELETE FROM outbox WHERE seq <= ?", last.seq);
    return true;
  }

  /** The days that these records touched, as they stand now: absolute values, so that sending twice adds nothing. */
  #daysOf(records: readonly OutboxRecord[]): UsageDailyRow[] {
    const touched = records.flatMap(({ cost, event }) => (cost ? [{ day: cost.day, model: cost.model, user_id: event.user ?? "" }] : []));
    if (touched.length === 0) return [];
    return this.#store.all<UsageDailyRow & Row>(
      `SELECT day, model, user_id, input_tokens, output_tokens, unreported_tokens, calls, cost_nanos, version FROM usage_daily
       WHERE (day, model, user_id) IN (SELECT value ->> '$.day', value ->> '$.model', value ->> '$.user_id' FROM json_each(?))`,
      JSON.stringify(touched),
    );
  }
}

async function withTimeout<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`D1 did not answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
