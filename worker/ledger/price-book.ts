/**
 * The price book of one tenant: for each model, prices with the instant from which they are in force.
 *
 * - In force is the entry with the latest `effective_at` that has come. Leases keep the prices of their grant, so no
 *   entry ever changes what was granted before it.
 * - A model's first entry comes with its first revision. A later revision makes an entry where its prices differ from
 *   those of the revision before it: publishing the same prices again undoes nothing that was set meanwhile.
 * - Entries that are not in force yet may be written over; others stand.
 * - What the operator states of a model is kept apart as well: its latest statement that has come is a floor under
 *   every later entry of the model, and no entry of another hand writes over it. It is a floor as well under what is
 *   derived from that model.
 */
import { toTimestamp } from "../../schema/contract/amounts.ts";
import type { ModelId, RevisionId } from "../../schema/contract/ids.ts";
import type { Prices } from "../../schema/contract/models.ts";
import type { PriceEntry, PriceFloor } from "../../schema/contract/prices.ts";
import { raised } from "./price-floor.ts";
import type { Row, Store } from "./store.ts";

export interface StoredPrice {
  readonly model: string;
  readonly effectiveAt: number;
  readonly prices: Prices;
  readonly revision: string | null;
  readonly setBy: string;
  readonly setAt: number;
}

interface PriceRow extends Row {
  model: string;
  effective_at: number;
  prices: string;
  revision: string | null;
  set_by: string;
  set_at: number;
}

const OPERATOR = "operator";
const COLUMNS = "model, effective_at, prices, revision, set_by, set_at";

const fromRow = (row: PriceRow): StoredPrice => ({
  model: row.model,
  effectiveAt: row.effective_at,
  prices: JSON.parse(row.prices) as Prices,
  revision: row.revision,
  setBy: row.set_by,
  setAt: row.set_at,
});

const NEXT = {
  prices: "SELECT min(effective_at) AS at FROM prices WHERE model = ? AND effective_at > ?",
  operator_prices: "SELECT min(effective_at) AS at FROM operator_prices WHERE model = ? AND effective_at > ?",
};

const samePrices = (a: Prices, b: Prices) =>
  a.input_nanos_per_token === b.input_nanos_per_token && a.output_nanos_per_token === b.output_nanos_per_token && (a.call_nanos ?? 0) === (b.call_nanos ?? 0);

export class PriceBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** What a lease of `model` granted now costs; `floor`: the tenant's. A model that was ever published has a price. */
  at(model: string, now: number, floor: PriceFloor | null, base: string | null = null): Prices {
    const { entry, stated } = this.#store.recall(`price ${model}`, ["prices", "operator_prices"], () => this.#current(model, now), ({ since, until }) => since <= now && now < until);
    return raised(entry.prices, floor, stated, base === null || base === model ? null : this.#stated(base, now));
  }

  /** What holds from `since` until the next entry of this model comes into force. */
  #current(model: string, now: number): { entry: StoredPrice; stated: Prices | null; since: number; until: number } {
    const row =
      this.#store.first<PriceRow>(`SELECT ${COLUMNS} FROM prices WHERE model = ? AND effective_at <= ? ORDER BY effective_at DESC LIMIT 1`, model, now) ??
      // A clock that went back behind the first entry.
      this.#store.first<PriceRow>(`SELECT ${COLUMNS} FROM prices WHERE model = ? ORDER BY effective_at LIMIT 1`, model);
    if (!row) throw new Error(`the model ${model} is published and has no price`);
    const next = (table: "prices" | "operator_prices") => this.#store.first<{ at: number | null }>(NEXT[table], model, now)?.at ?? Number.POSITIVE_INFINITY;
    return { entry: fromRow(row), stated: this.#stated(model, now), since: now, until: Math.min(next("prices"), next("operator_prices")) };
  }

  /** What a lease costs under this entry, as the floors are now. `base`: the model of the catalogue that this one stands on. */
  effective({ model, prices }: StoredPrice, now: number, floor: PriceFloor | null, base: string | null): Prices {
    return raised(prices, floor, this.#stated(model, now), base === null ? null : this.#stated(base, now));
  }

  /** What the operator itself says that this model costs; null where it never did. */
  #stated(model: string, now: number): Prices | null {
    const row = this.#store.first<{ prices: string }>("SELECT prices FROM operator_prices WHERE model = ? AND effective_at <= ? ORDER BY effective_at DESC LIMIT 1", model, now);
    return row && (JSON.parse(row.prices) as Prices);
  }

  /** The prices of a revision that goes live, after the one that was live before it. */
  publish(model: string, revision: string, prices: Prices, before: Prices | null, by: string, now: number): void {
    if (before && samePrices(before, prices)) return;
    this.#write({ model, effectiveAt: now, prices, revision, setBy: by, setAt: now });
  }

  set(model: string, prices: Prices, effectiveAt: number, by: string, now: number): StoredPrice {
    const entry: StoredPrice = { model, effectiveAt, prices, revision: null, setBy: by, setAt: now };
    this.#write(entry);
    return entry;
  }

  /** Entries by model and time, after the one that the cursor names. */
  list(model: string | null, after: { model: string; effectiveAt: number } | null, limit: number): StoredPrice[] {
    return this.#store
      .all<PriceRow>(
        `SELECT ${COLUMNS} FROM prices WHERE (? IS NULL OR model = ?) AND (model, effective_at) > (?, ?) ORDER BY model, effective_at LIMIT ?`,
        model, model, after?.model ?? "", after?.effectiveAt ?? -1, limit,
      )
      .map(fromRow);
  }

  /** Which entry of this model is in force, by its instant; null: none yet. */
  inForce(model: string, now: number): number | null {
    return this.#store.first<{ at: number | null }>("SELECT max(effective_at) AS at FROM prices WHERE model = ? AND effective_at <= ?", model, now)?.at ?? null;
  }

  #write({ model, effectiveAt, prices, revision, setBy, setAt }: StoredPrice): void {
    this.#store.run(
      `INSERT INTO prices (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (model, effective_at) DO UPDATE SET prices = excluded.prices, revision = excluded.revision, set_by = excluded.set_by, set_at = excluded.set_at`,
      model, effectiveAt, JSON.stringify(prices), revision, setBy, setAt,
    );
    if (setBy !== OPERATOR) return;
    this.#store.run(
      "INSERT INTO operator_prices (model, effective_at, prices) VALUES (?, ?, ?) ON CONFLICT (model, effective_at) DO UPDATE SET prices = excluded.prices",
      model, effectiveAt, JSON.stringify(prices),
    );
  }
}

/** The entry as the API shows it. */
export function toPriceEntry(price: StoredPrice, effective: Prices, inForce: boolean): PriceEntry {
  return {
    model: price.model as ModelId,
    ...whole(price.prices),
    effective: whole(effective),
    effective_at: toTimestamp(price.effectiveAt),
    in_force: inForce,
    source: price.revision === null ? "set" : "revision",
    revision: price.revision as RevisionId | null,
    set_by: price.setBy,
    set_at: toTimestamp(price.setAt),
  };
}

const whole = ({ input_nanos_per_token, output_nanos_per_token, call_nanos = 0 }: Prices): Required<Prices> => ({ input_nanos_per_token, output_nanos_per_token, call_nanos });
