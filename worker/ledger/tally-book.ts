/**
 * The tallies of one tenant's inferences: a row an hour (UTC) and model, and a row a model of all time (hour 0), from
 * which counters never fall when old hours are forgotten.
 *
 * - Written by `Rollups.fold`, each record once, in the transaction that marks it as counted.
 * - `unsent` gives what D1 does not have; the mark of what it has is kept, so that a woken object goes on from there.
 */
import type { TallyRow } from "../tenants/records.ts";
import { hourOf } from "../metrics/span.ts";
import { EMPTY_TALLY, type Tally, merged, tallyOf } from "../metrics/tally.ts";
import type { OutboxRecord } from "./journal.ts";
import type { Row, Store } from "./store.ts";

/** The row that holds all time. */
const ALL_TIME = 0;
export const KEEP_HOURS = 40 * 24;

interface SketchRow extends Row {
  model: string;
  tally: string;
}

export class TallyBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Counts these records. To be called inside the transaction that marks them as counted. */
  add(records: readonly OutboxRecord[], version: number): void {
    const groups = Map.groupBy(records.filter(({ cost }) => cost), ({ cost, event }) => JSON.stringify([hourOf(event.at), cost?.model]));
    for (const [name, group] of groups) {
      const [hour, model] = JSON.parse(name) as [number, string];
      const tally = tallyOf(group.flatMap(({ cost }) => cost ?? []));
      for (const at of [hour, ALL_TIME]) this.#write(at, model, merged([this.#read(at, model), tally]), version);
    }
  }

  /** The tallies of the hours from `from` up to, not including, `to`, by model. */
  between(from: number, to: number): Map<string, Tally> {
    const rows = this.#store.all<SketchRow>("SELECT model, tally FROM sketches WHERE hour >= ? AND hour < ? AND hour > 0 ORDER BY model", from, to);
    return new Map([...Map.groupBy(rows, ({ model }) => model)].map(([model, group]) => [model, merged(group.map(({ tally }) => JSON.parse(tally) as Tally))]));
  }

  /** The tallies of all time, by model. */
  totals(): Map<string, Tally> {
    return new Map(this.#store.all<SketchRow>("SELECT model, tally FROM sketches WHERE hour = 0 ORDER BY model").map(({ model, tally }) => [model, JSON.parse(tally) as Tally]));
  }

  hasUnsent(): boolean {
    return this.#store.first("SELECT 1 AS one FROM sketches WHERE hour = 0 AND version > ? LIMIT 1", this.#sent()) !== null;
  }

  /** What D1 keeps of each model that changed since it was last sent. */
  unsent(now: number): TallyRow[] {
    const rows = this.#store.all<SketchRow & { version: number }>("SELECT model, tally, version FROM sketches WHERE hour = 0 AND version > ?", this.#sent());
    const recent = this.between(hourOf(now) - 1, hourOf(now) + 1);
    return rows.map(({ model, tally, version }) => ({ model, total: tally, recent: JSON.stringify(recent.get(model) ?? EMPTY_TALLY), hour: hourOf(now), version }));
  }

  markSent(version: number): void {
    this.#store.run("INSERT INTO sketches_sent (id, version) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET version = excluded.version", version);
  }

  forgetOld(now: number): void {
    this.#store.run("DELETE FROM sketches WHERE hour > 0 AND hour < ?", hourOf(now) - KEEP_HOURS);
  }

  #sent(): number {
    return this.#store.first<{ version: number }>("SELECT version FROM sketches_sent WHERE id = 1")?.version ?? 0;
  }

  #read(hour: number, model: string): Tally {
    const row = this.#store.first<SketchRow>("SELECT model, tally FROM sketches WHERE hour = ? AND model = ?", hour, model);
    return row ? (JSON.parse(row.tally) as Tally) : EMPTY_TALLY;
  }

  #write(hour: number, model: string, tally: Tally, version: number): void {
    this.#store.run(
      "INSERT INTO sketches (hour, model, tally, version) VALUES (?, ?, ?, ?) ON CONFLICT (hour, model) DO UPDATE SET tally = excluded.tally, version = excluded.version",
      hour, model, JSON.stringify(tally), version,
    );
  }
}
