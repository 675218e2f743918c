/**
 * All of D1 that one tenant may see. Made only from a verified credential.
 *
 * - Every statement carries the tenant's id, bound.
 * - Writes take rows as one JSON parameter (`json_each`): D1 binds at most 100 parameters.
 * - Inserts keep rows exactly once: the same rows again change nothing.
 */
import { type SQL, and, asc, desc, eq, gt, gte, lt, sql, sum } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { TenantId } from "../../schema/contract/ids.ts";
import { auditEvents, costRecords, usageDaily } from "../../schema/tables/d1.ts";
import type { Env } from "../env.ts";
import type { OutboxRecord } from "../ledger/journal.ts";
import { storesOf } from "./stores.ts";
import type { Verified } from "./credential.ts";

export interface UsageDailyRow {
  readonly day: string;
  readonly model: string;
  readonly user_id: string;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly unreported_tokens: number;
  readonly calls: number;
  readonly cost_nanos: number;
  readonly version: number;
}

export interface AuditFilter {
  readonly action?: string | undefined;
  readonly user?: string | undefined;
  readonly model?: string | undefined;
  readonly requestId?: string | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Events after this `seq`. */
  readonly after: number;
  readonly limit: number;
}

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

export class TenantRecords {
  readonly #tenant: TenantId;
  readonly #d1: D1Database;
  readonly #db: DrizzleD1Database;

  private constructor(tenant: TenantId, d1: D1Database) {
    this.#tenant = tenant;
    this.#d1 = d1;
    this.#db = drizzle(d1);
  }

  static for(credential: Verified, env: Env): TenantRecords {
    return new TenantRecords(credential.tenant, storesOf(credential.tenant, credential.isolation, env).d1);
  }

  /** Writes a batch of outbox records and the days they touched, in one transaction of D1. */
  async project(records: readonly OutboxRecord[], days: readonly UsageDailyRow[]): Promise<void> {
    const rows = JSON.stringify(records);
    const statements = [this.#d1.prepare(INSERT_EVENTS).bind(this.#tenant, rows)];
    if (records.some((record) => record.cost)) statements.push(this.#d1.prepare(INSERT_COSTS).bind(this.#tenant, rows));
    if (days.length > 0) statements.push(this.#d1.prepare(UPSERT_DAYS).bind(this.#tenant, JSON.stringify(days)));
    const latest = records.findLast((record) => record.profile !== undefined);
    if (latest) statements.push(this.#d1.prepare(UPSERT_TENANT).bind(this.#tenant, JSON.stringify(latest.profile), latest.event.seq));
    await this.#d1.batch(statements);
  }

  /** Events in the order of the chain. */
  auditEvents(filter: AuditFilter) {
    const wanted: (SQL | undefined)[] = [
      eq(auditEvents.tenantId, this.#tenant),
      gt(auditEvents.seq, filter.after),
      filter.action === undefined ? undefined : eq(auditEvents.action, filter.action),
      filter.user === undefined ? undefined : eq(auditEvents.userId, filter.user),
      filter.model === undefined ? undefined : eq(auditEvents.model, filter.model),
      filter.requestId === undefined ? undefined : eq(auditEvents.requestId, filter.requestId),
      filter.since === undefined ? undefined : gte(auditEvents.at, filter.since),
      filter.until === undefined ? undefined : lt(auditEvents.at, filter.until),
    ];
    return this.#db.select().from(auditEvents).where(and(...wanted)).orderBy(asc(auditEvents.seq)).limit(filter.limit).all();
  }

  costRecords(after: number, limit: number) {
    const wanted = and(eq(costRecords.tenantId, this.#tenant), gt(costRecords.seq, after));
    return this.#db.select().from(costRecords).where(wanted).orderBy(asc(costRecords.seq)).limit(limit).all();
  }

  /** Sums of the days from `since` up to, not including, `until`. */
  usage(group: UsageGroup, since: string, until: string) {
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
      .all();
  }
}
