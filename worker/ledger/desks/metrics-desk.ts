/**
 * Metrics of the tenant, read from its own tallies: they are as new as the last report and need no D1. D1 gets what the
 * operator's view across tenants shows, at most once a minute.
 */
import type { Metrics } from "../../../schema/contract/metrics.ts";
import type { Quota } from "../../../schema/contract/policy.ts";
import { toTimestamp } from "../../../schema/contract/amounts.ts";
import type { Series } from "../../metrics/families.ts";
import { HOUR_MS, hourOf } from "../../metrics/span.ts";
import { EMPTY_TALLY, merged } from "../../metrics/tally.ts";
import { valuesOf } from "../../metrics/values.ts";
import { readConfig } from "../config.ts";
import { type Result, done } from "../result.ts";
import type { Call, Chore, Room } from "../room.ts";
import { within } from "../../within.ts";

const EVERY_MS = 60_000;
const D1_TIMEOUT_MS = 10_000;

export interface Scrape {
  readonly series: Series[];
  readonly quota: Quota;
  /** Since the object woke: what the platform bills. */
  readonly rowsWritten: { readonly object: number; readonly d1: number };
}

export class MetricsDesk {
  readonly #room: Room;
  #notBefore = 0;

  constructor(room: Room) {
    this.#room = room;
  }

  /** Of the whole hours that `since` and `until` touch. */
  read(call: Call, since: number, until: number): Result<Metrics> {
    const { rollups, tallies } = this.#room;
    return this.#room.as(call, () => {
      rollups.fold();
      const [from, to] = [hourOf(since), hourOf(Math.max(since, until - 1)) + 1];
      const models = tallies.between(from, to);
      return done({
        since: toTimestamp(from * HOUR_MS),
        until: toTimestamp(to * HOUR_MS),
        metrics: valuesOf(merged([...models.values()])),
        models: Object.fromEntries([...models].map(([model, tally]) => [model, valuesOf(tally)])),
      });
    });
  }

  /** What a scraper of this tenant gets. */
  series(call: Call): Result<Scrape> {
    const { rollups, tallies, tenant, books, shelf, store, records } = this.#room;
    return this.#room.as(call, (_who, now) => {
      rollups.fold();
      const recent = tallies.between(hourOf(now) - 1, hourOf(now) + 1);
      const series = [...tallies.totals()].map(([model, total]) => ({ labels: { tenant, model }, total, recent: recent.get(model) ?? EMPTY_TALLY }));
      const { policy } = readConfig(store);
      return done({ series, quota: books.quota(books.read(tenant, policy, now, null, null), policy, shelf, now), rowsWritten: { object: store.rowsWritten, d1: records.rowsWritten } });
    });
  }

  get chore(): Chore {
    return {
      name: "metrics",
      nextAt: (now) => (this.#room.tallies.hasUnsent() ? Math.max(now, this.#notBefore) : null),
      run: async (now) => {
        if (now < this.#notBefore) return;
        const { tallies } = this.#room;
        const rows = tallies.unsent(now);
        if (rows.length === 0) return;
        this.#notBefore = now + EVERY_MS;
        await within(D1_TIMEOUT_MS, "D1", this.#room.records.putTallies(rows));
        this.#room.transact(() => {
          tallies.markSent(Math.max(...rows.map(({ version }) => version)));
          tallies.forgetOld(now);
        });
      },
    };
  }
}
