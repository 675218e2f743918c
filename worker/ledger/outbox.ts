/**
 * Carries the outbox to D1: at least once, in order, in batches. Rows leave the outbox only after D1 has them.
 *
 * - One flush at a time; a second caller waits for the first and then for what came meanwhile.
 * - D1 that throws, hangs or answers late changes nothing here: the rows stay, the next flush sends them again, and D1
 *   keeps each once (primary key, versions).
 */
import type { TenantRecords } from "../tenants/records.ts";
import type { OutboxRing } from "./outbox-ring.ts";
import { within } from "../within.ts";
import type { Rollups } from "./rollups.ts";

const BATCH = 200;
const D1_TIMEOUT_MS = 10_000;

export interface Lag {
  /** Events that D1 does not have yet. */
  readonly events: number;
  /** Why the last flush stopped, where it did. */
  readonly error: string | null;
}

/** What the sender needs of the object: its rows, its sums and its transaction. */
export interface Sources {
  readonly ring: OutboxRing;
  readonly rollups: Rollups;
  transact<T>(work: () => T): T;
}

export class Outbox {
  readonly #sources: Sources;
  readonly #records: TenantRecords;
  #running: Promise<Lag> | null = null;

  constructor(sources: Sources, records: TenantRecords) {
    this.#sources = sources;
    this.#records = records;
  }

  get size(): number {
    return this.#sources.ring.size;
  }

  /**
   * Sends all that there is now, as far as D1 takes it; not what comes meanwhile, so that a busy tenant's reader is
   * answered too. Never throws: the lag says what is left and why.
   */
  async flush(): Promise<Lag> {
    const goal = this.#sources.ring.newest.seq;
    while (this.#running) {
      const lag = await this.#running;
      if (lag.error !== null || this.#sources.ring.sent.seq >= goal) return { ...lag, events: this.size };
    }
    this.#running = this.#sendUpTo(goal).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #sendUpTo(goal: number): Promise<Lag> {
    try {
      while (this.#sources.ring.sent.seq < goal) await this.#sendBatch();
      return { events: this.size, error: null };
    } catch (cause) {
      const error = cause instanceof Error ? cause.message : String(cause);
      console.warn(JSON.stringify({ level: "warn", message: "the projection to D1 is behind", waiting: this.size, error }));
      return { events: this.size, error };
    }
  }

  async #sendBatch(): Promise<void> {
    const { ring, rollups, transact } = this.#sources;
    const { batch, days } = transact(() => {
      rollups.fold();
      const batch = ring.waiting(BATCH);
      return { batch, days: rollups.daysOf(batch.map(({ record }) => record)) };
    });
    const last = batch.at(-1);
    if (!last) throw new Error("the outbox has lost what it should send");
    await within(D1_TIMEOUT_MS, "D1", this.#records.project(batch, days));
    transact(() => ring.ack(last.record));
  }
}
