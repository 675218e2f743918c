/**
 * The rows of the outbox: what happened, in the order of the chain, until D1 has it.
 *
 * - An event is written into slot `seq mod 4096`, over one that D1 has: one written row an event, no deletion. Where the
 *   ring is full (D1 is away), events go to slots above it, which are emptied once D1 has them.
 * - `sent` is the last event that D1 is known to have; `newest` the last of all. Both are mirrors in memory: `reload` after a
 *   transaction that failed.
 * - Every method is to be called inside the object's transaction, or without one for reads.
 */
import { type ChainHead, EMPTY_CHAIN } from "./audit-chain.ts";
import { type OutboxRecord, recordText } from "./journal.ts";
import type { Row, Store } from "./store.ts";

export const RING = 4096;
/** What one batch for D1 may weigh: D1 takes values of 2 MB at most. */
const BATCH_CHARS = 600_000;

interface HeadRow extends Row {
  seq: number;
  hash: string;
  at: number;
  folded: number;
}

/** A record, and its text as it stands: what was hashed in canonical form must reach D1 in that form. */
export interface Waiting {
  readonly record: OutboxRecord;
  readonly text: string;
}

/** Where event `seq` is written while D1 has all up to `sent`. */
export const slotFor = (seq: number, sent: number): number => (seq - sent <= RING ? seq % RING : RING + seq);

export class OutboxRing {
  readonly #store: Store;
  #sent: ChainHead = EMPTY_CHAIN;
  #newest: ChainHead = EMPTY_CHAIN;
  #folded = 0;

  constructor(store: Store) {
    this.#store = store;
    this.reload();
  }

  /** The last event that D1 is known to have. */
  get sent(): ChainHead {
    return this.#sent;
  }

  /** The last event of the chain. */
  get newest(): ChainHead {
    return this.#newest;
  }

  /** Events that D1 does not have yet. */
  get size(): number {
    return this.#newest.seq - this.#sent.seq;
  }

  /** The last event that the sums count. */
  get folded(): number {
    return this.#folded;
  }

  reload(): void {
    const row = this.#store.first<HeadRow>("SELECT seq, hash, at, folded FROM audit_head WHERE id = 1");
    this.#sent = row ? { seq: row.seq, hash: row.hash, at: row.at } : EMPTY_CHAIN;
    this.#folded = row?.folded ?? 0;
    const last = this.#lastWritten();
    this.#newest = last === this.#sent.seq ? this.#sent : headOf(this.#at(last) as OutboxRecord);
  }

  put(record: OutboxRecord): void {
    const { seq } = record.event;
    this.#store.run(
      "INSERT INTO outbox (slot, seq, record) VALUES (?, ?, ?) ON CONFLICT (slot) DO UPDATE SET seq = excluded.seq, record = excluded.record",
      slotFor(seq, this.#sent.seq), seq, recordText(record),
    );
    this.#newest = headOf(record);
  }

  /** The records after `seq`, the oldest first: at most `limit`, and no more than one statement to D1 takes. */
  after(seq: number, limit: number): Waiting[] {
    const wanted = Array.from({ length: Math.min(limit, this.#newest.seq - seq) }, (_, index) => seq + 1 + index);
    const slots = JSON.stringify(wanted.flatMap((at) => [at % RING, RING + at]));
    const rows = this.#store.all<{ record: string }>(
      "SELECT record FROM outbox WHERE slot IN (SELECT value FROM json_each(?)) AND seq BETWEEN ? AND ? ORDER BY seq",
      slots, seq + 1, seq + wanted.length,
    );
    let chars = 0;
    const fitting = rows.filter(({ record }, index) => (chars += record.length) <= BATCH_CHARS || index === 0);
    return fitting.map(({ record }) => ({ record: JSON.parse(record) as OutboxRecord, text: record }));
  }

  /** The first event that may still be here. */
  get oldest(): number {
    return Math.max(1, this.#newest.seq - RING + 1);
  }

  /** What waits for D1, as much as one batch takes. */
  waiting(limit: number): Waiting[] {
    return this.after(this.#sent.seq, limit);
  }

  /** D1 has everything up to this record, and the sums count it. */
  ack(last: OutboxRecord): void {
    this.#sent = headOf(last);
    // What was sent was folded before; a mark that was not worth a row then may have been read back since.
    this.#folded = Math.max(this.#folded, last.event.seq);
    this.#store.run("DELETE FROM outbox WHERE slot > ? AND slot <= ?", RING, RING + last.event.seq);
    this.#writeHead();
  }

  /** The sums count everything up to `seq`. `changed`: they are others than before; else the mark can wait for the next. */
  fold(seq: number, changed: boolean): void {
    this.#folded = seq;
    if (changed) this.#writeHead();
  }

  #writeHead(): void {
    const { seq, hash, at } = this.#sent;
    this.#store.run(
      "INSERT INTO audit_head (id, seq, hash, at, folded) VALUES (1, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, at = excluded.at, folded = excluded.folded",
      seq, hash, at, this.#folded,
    );
  }

  /** What waits has no gap, so its end is found in steps that double, then halve. */
  #lastWritten(): number {
    let low = this.#sent.seq;
    let step = 1;
    while (this.#at(low + step) !== null) {
      low += step;
      step *= 2;
    }
    for (; step >= 1; step /= 2) if (this.#at(low + step) !== null) low += step;
    return low;
  }

  #at(seq: number): OutboxRecord | null {
    const row = this.#store.first<{ record: string }>("SELECT record FROM outbox WHERE slot IN (?, ?) AND seq = ?", seq % RING, RING + seq, seq);
    return row && (JSON.parse(row.record) as OutboxRecord);
  }
}

const headOf = ({ event }: OutboxRecord): ChainHead => ({ seq: event.seq, hash: event.hash, at: event.at });
