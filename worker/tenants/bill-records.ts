/**
 * What bills are made of, as it stands in D1: the cost records of one tenant and its sums by day, model and user. Part of
 * `TenantRecords`; every statement carries the tenant's id. Read to be held against the chain and the ledger: nothing is
 * left out, whatever numbers and names somebody gave to rows.
 */
import type { TenantId } from "../../schema/contract/ids.ts";
import type { StoredCost } from "../audit/verify-costs.ts";
import { seqAt } from "./audit-records.ts";
import type { DayKey, UsageDailyRow } from "./usage-rows.ts";

const COSTS = `
  SELECT seq, at, day, lease_id AS leaseId, request_id AS requestId, user_id AS user, model, revision, input_tokens AS inputTokens, output_tokens AS outputTokens,
    unreported_tokens AS unreportedTokens, calls, cost_nanos AS costNanos, outcome, error_code AS errorCode, latency_ms AS latencyMs, ttft_ms AS ttftMs, backend, cache
  FROM cost_records WHERE tenant_id = ?1 AND seq > coalesce(?2, -9e999) AND seq <= ?3 ORDER BY seq LIMIT ?4`;

const LAST_COST = "SELECT seq FROM cost_records WHERE tenant_id = ?1 ORDER BY seq DESC LIMIT 1";

const DAY_COLUMNS = "day, model, user_id, input_tokens, output_tokens, unreported_tokens, calls, cost_nanos, version";
const DAYS_AFTER = `SELECT ${DAY_COLUMNS} FROM usage_daily WHERE tenant_id = ?1 AND (day, model, user_id) > (?2, ?3, ?4) ORDER BY day, model, user_id LIMIT ?5`;
const DAYS_BETWEEN = `SELECT ${DAY_COLUMNS} FROM usage_daily WHERE tenant_id = ?1 AND (day, model, user_id) > (?2, ?3, ?4) AND (day, model, user_id) <= (?5, ?6, ?7) ORDER BY day, model, user_id LIMIT ?8`;

/**
 * Sums of some days that are not those of their cost records, of records between two places. One statement, so one state
 * of D1: a sum there counts every record there. A sum that counts more (of events that are on their way) is not judged.
 */
const UNLIKE_COSTS = `
  WITH sides (day, model, user_id, input_tokens, output_tokens, unreported_tokens, calls, cost_nanos, version, seq) AS (
    SELECT ${DAY_COLUMNS}, 0 FROM usage_daily WHERE tenant_id = ?1 AND day >= ?2 AND day <= ?3
    UNION ALL
    SELECT day, model, coalesce(user_id, ''), -input_tokens, -output_tokens, -unreported_tokens, -calls, -cost_nanos, 0, seq FROM cost_records
      WHERE tenant_id = ?1 AND seq >= coalesce(?4, -9e999) AND seq <= coalesce(?5, 9e999) AND day >= ?2 AND day <= ?3
  )
  SELECT day, model, user_id, count(*) OVER () AS count, max(day) OVER () AS last FROM sides GROUP BY day, model, user_id
  HAVING max(version) <= (SELECT coalesce(max(seq), 0) FROM audit_events WHERE tenant_id = ?1)
    AND (sum(input_tokens) <> 0 OR sum(output_tokens) <> 0 OR sum(unreported_tokens) <> 0 OR sum(calls) <> 0 OR sum(cost_nanos) <> 0 OR max(seq) > max(version))
  ORDER BY day, model, user_id LIMIT 1`;

/** Days by name, both included. */
export interface Days {
  readonly from: string;
  readonly through: string;
}
/** Before and after the name of any day. */
export const ALL_DAYS: Days = { from: "", through: "\u{10ffff}" };

/** Where records are looked for: from an instant on, up to a place in the chain. Null: no bound. */
export interface Stretch {
  readonly since: number | null;
  readonly upTo: number | null;
}
export const EVERYWHERE: Stretch = { since: null, upTo: null };

/** The first of what was found, how many there are, and the day of the last. */
export interface Unlike extends DayKey {
  readonly count: number;
  readonly last: string;
}

export class BillRecords {
  readonly #tenant: TenantId;
  readonly #d1: D1Database;

  constructor(tenant: TenantId, d1: D1Database) {
    this.#tenant = tenant;
    this.#d1 = d1;
  }

  /** Cost records after `after` (null: from the very first row) up to `upTo`. */
  async costs(after: number | null, upTo: number, limit: number): Promise<StoredCost[]> {
    return (await this.#d1.prepare(COSTS).bind(this.#tenant, after, upTo, limit).all<StoredCost>()).results;
  }

  async lastCostSeq(): Promise<unknown> {
    return (await this.#d1.prepare(LAST_COST).bind(this.#tenant).first<{ seq: unknown }>())?.seq ?? null;
  }

  /** The sums after one key up to another, or up to the end where that is null. */
  async days(after: DayKey, upTo: DayKey | null, limit: number): Promise<UsageDailyRow[]> {
    const from = [this.#tenant, after.day, after.model, after.user_id];
    const statement = upTo === null ? this.#d1.prepare(DAYS_AFTER).bind(...from, limit) : this.#d1.prepare(DAYS_BETWEEN).bind(...from, upTo.day, upTo.model, upTo.user_id, limit);
    return (await statement.all<UsageDailyRow>()).results;
  }

  /** Sums of these days that are not those of their cost records within the stretch. */
  async unlikeCosts({ from, through }: Days, { since, upTo }: Stretch): Promise<Unlike | null> {
    const first = since === null ? null : await seqAt(this.#d1, this.#tenant, since);
    return this.#d1.prepare(UNLIKE_COSTS).bind(this.#tenant, from, through, first, upTo).first<Unlike>();
  }
}
