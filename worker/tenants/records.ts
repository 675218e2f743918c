/**
 * All of D1 that one tenant may see. Made only from a verified credential.
 *
 * - Every statement carries the tenant's id, bound.
 * - Writes take rows as one JSON parameter (`json_each`): D1 binds at most 100 parameters.
 * - Inserts keep rows exactly once: the same rows again change nothing.
 */
import { and, asc, desc, eq, gte, lt, sql, sum } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { TenantId } from "../../schema/contract/ids.ts";
import { usageDaily } from "../../schema/tables/d1.ts";
import type { Env } from "../env.ts";
import type { Waiting } from "../ledger/outbox-ring.ts";
import { AuditRecords } from "./audit-records.ts";
import { BillRecords } from "./bill-records.ts";
import { storesOf } from "./stores.ts";
import type { Verified } from "./credential.ts";
import type { UsageDailyRow } from "./usage-rows.ts";

/** What D1 keeps of one model's metrics; `total` and `recent` are tallies as JSON. */
export interface TallyRow {
  readonly model: string;
  readonly total: string;
  readonly recent: string;
  readonly hour: number;
  readonly version: number;
}

/** A bill has a line for each model: far fewer. */
const MOST_GROUPS = 10_000;

export type UsageGroup = "day" | "model" | "user";

/** A batch that D1 executes late, after the tenant was erased, writes nothing. */
const UNLESS_ERASED = "NOT EXISTS (SELECT 1 FROM erased_tenants WHERE tenant_id = ?1)";

const INSERT_EVENTS = `
  INSERT INTO audit_events (tenant_id, seq, at, action, actor, user_id, model, request_id, details, prev_hash, hash)
  SELECT ?1, value ->> '$.event.seq', value ->> '$.event.at', value ->> '$.event.action', value ->> '$.event.actor', value ->> '$.event.user',
    value ->> '$.event.model', value ->> '$.event.requestId', value -> '$.event.details', value ->> '$.event.prevHash', value ->> '$.event.hash'
  FROM json_each(?2) WHERE ${UNLESS_ERASED} ON CONFLICT (tenant_id, seq) DO NOTHING`;

const INSERT_COSTS = `
  INSERT INTO cost_records (tenant_id, seq, at, day, lease_id, request_id, user_id, model, revision, input_tokens, output_tokens,
    unreported_tokens, calls, cost_nanos, outcome, error_code, latency_ms, ttft_ms, backend, cache)
  SELECT ?1, value ->> '$.event.seq', value ->> '$.event.at', value ->> '$.cost.day', value ->> '$.cost.leaseId', value ->> '$.event.requestId',
    value ->> '$.event.user', value ->> '$.cost.model', value ->> '$.cost.revision', value ->> '$.cost.inputTokens', value ->> '$.cost.outputTokens',
    value ->> '$.cost.unreportedTokens', value ->> '$.cost.calls', value ->> '$.cost.costNanos', value ->> '$.cost.outcome',
    value ->> '$.cost.errorCode', value ->> '$.cost.latencyMs', value ->> '$.cost.ttftMs', value ->> '$.cost.backend', value ->> '$.cost.cache'
  FROM json_each(?2) WHERE value -> '$.cost' IS NOT NULL AND ${UNLESS_ERASED} ON CONFLICT (tenant_id, seq) DO NOTHING`;

const UPSERT_DAYS = `
  INSERT INTO usage_daily (tenant_id, day, model, user_id, input_tokens, output_tokens, unreported_tokens, calls, cost_nanos, version)
  SELECT ?1, value ->> '$.day', value ->> '$.model', value ->> '$.user_id', value ->> '$.input_tokens', value ->> '$.output_tokens',
    value ->> '$.unreported_tokens', value ->> '$.calls', value ->> '$.cost_nanos', value ->> '$.version'
  FROM json_each(?2) WHERE ${UNLESS_ERASED}
  ON CONFLICT (tenant_id, day, model, user_id) DO UPDATE SET
    input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens, unreported_tokens = excluded.unreported_tokens,
    calls = excluded.calls, cost_nanos = excluded.cost_nanos, version = excluded.version
  WHERE excluded.version > usage_daily.version`;

const UPSERT_TENANT = `
  INSERT INTO tenants (tenant_id, profile, version) SELECT ?1, ?2, ?3 WHERE ${UNLESS_ERASED}
  ON CONFLICT (tenant_id) DO UPDATE SET profile = excluded.profile, version = excluded.version WHERE excluded.version > tenants.version`;

const UPSERT_TALLIES = `
  INSERT INTO model_metrics (tenant_id, model, total, recent, hour, version)
  SELECT ?1, value ->> '$.model', value ->> '$.total', value ->> '$.recent', value ->> '$.hour', value ->> '$.version' FROM json_each(?2) WHERE ${UNLESS_ERASED}
  ON CONFLICT (tenant_id, model) DO UPDATE SET total = excluded.total, recent = excluded.recent, hour = excluded.hour, version = excluded.version
  WHERE excluded.version > model_metrics.version`;

export class TenantRecords {
  readonly #tenant: TenantId;
  readonly #d1: D1Database;
  readonly #db: DrizzleD1Database;
  #rowsWritten = 0;
  readonly audit: AuditRecords;
  readonly bills: BillRecords;

  private constructor(tenant: TenantId, d1: D1Database) {
    this.#tenant = tenant;
    this.#d1 = d1;
    this.#db = drizzle(d1);
    this.audit = new AuditRecords(tenant, d1, this.#db);
    this.bills = new BillRecords(tenant, d1);
  }

  static for(credential: Verified, env: Env): TenantRecords {
    return new TenantRecords(credential.tenant, storesOf(credential.tenant, credential.isolation, env).d1);
  }

  /** Rows that D1 wrote for this handle, as it says. */
  get rowsWritten(): number {
    return this.#rowsWritten;
  }

  /** Writes a batch of outbox records and the days they touched, in one transaction of D1. */
  async project(batch: readonly Waiting[], days: readonly UsageDailyRow[]): Promise<void> {
    const records = batch.map(({ record }) => record);
    const rows = `[${batch.map(({ text }) => text).join(",")}]`;
    const statements = [this.#d1.prepare(INSERT_EVENTS).bind(this.#tenant, rows)];
    if (records.some((record) => record.cost)) statements.push(this.#d1.prepare(INSERT_COSTS).bind(this.#tenant, rows));
    if (days.length > 0) statements.push(this.#d1.prepare(UPSERT_DAYS).bind(this.#tenant, JSON.stringify(days)));
    const latest = records.findLast((record) => record.profile !== undefined);
    if (latest) statements.push(this.#d1.prepare(UPSERT_TENANT).bind(this.#tenant, JSON.stringify(latest.profile), latest.event.seq));
    for (const { meta } of await this.#d1.batch(statements)) this.#rowsWritten += meta.rows_written;
  }

  /** The metrics of the models that changed, as they stand now. */
  async putTallies(rows: readonly TallyRow[]): Promise<void> {
    const { meta } = await this.#d1.prepare(UPSERT_TALLIES).bind(this.#tenant, JSON.stringify(rows)).run();
    this.#rowsWritten += meta.rows_written;
  }

  /** Sums of the days from `since` up to, not including, `until`. */
  usage(group: UsageGroup, since: string, until: string, page: { limit: number; offset: number } = { limit: MOST_GROUPS, offset: 0 }) {
    const key = { day: usageDaily.day, model: usageDaily.model, user: usageDaily.userId }[group];
    return this.#db
      .select({
        key,
        inputTokens: sum(usageDaily.inputTokens).mapWith(Number),
        outputTokens: sum(usageDaily.outputTokens).mapWith(Number),
        unreportedTokens: sum(usageDaily.unreportedTokens).mapWith(Number),
        calls: sum(usageDaily.calls).mapWith(Number),
        costNanos: sum(usageDaily.costNanos).mapWith(Number),
      })
      .from(usageDaily)
      .where(and(eq(usageDaily.tenantId, this.#tenant), gte(usageDaily.day, since), lt(usageDaily.day, until)))
      .groupBy(key)
      .orderBy(group === "day" ? asc(key) : desc(sql`sum(${usageDaily.costNanos})`), asc(key))
      .limit(page.limit)
      .offset(page.offset)
      .all();
  }
}
