/**
 * D1: the projection that answers questions across time and tenants. Never an authority: rows come from the tenant
 * objects' outboxes, at least once, and are kept exactly once (primary keys; rollups carry a version).
 *
 * - Every table has `tenant_id` as the first column of its primary key.
 * - An index costs a written row for each row that it holds: `audit_events` has them where a filter would otherwise read
 *   the whole chain (one user, one request, one of the actions that are rare), and none for the rest. Instants need none:
 *   `at` never goes back along the chain, so a range of time is a range of `seq`, found by halving.
 * - Instants are milliseconds since the epoch; money is nano-dollars; days are those of the tenant's time zone.
 */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const tenants = sqliteTable("tenants", {
  tenantId: text("tenant_id").primaryKey(),
  /** The tenant as the API shows it, JSON. */
  profile: text("profile").notNull(),
  version: integer("version").notNull(),
});

/** As SQLite must see it, in the index and in a query, to use the one for the other: the actions that make up the bulk. */
export const RARE_ACTION = "action NOT IN ('LEASE_GRANTED', 'INFERENCE_EXECUTED')";

/** The same for the id of a call that is not the id of its inference: an event has it in its details, where the two differ. */
export const CALL_REQUEST = "CASE WHEN json_valid(details) THEN details ->> '$.call_request_id' END";

export const auditEvents = sqliteTable(
  "audit_events",
  {
    tenantId: text("tenant_id").notNull(),
    seq: integer("seq").notNull(),
    at: integer("at").notNull(),
    action: text("action").notNull(),
    actor: text("actor").notNull(),
    userId: text("user_id"),
    model: text("model"),
    requestId: text("request_id"),
    details: text("details").notNull(),
    prevHash: text("prev_hash").notNull(),
    hash: text("hash").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.seq] }),
    index("audit_events_user").on(table.tenantId, table.userId, table.seq).where(sql`user_id IS NOT NULL`),
    index("audit_events_request").on(table.tenantId, table.requestId, table.seq).where(sql`request_id IS NOT NULL`),
    index("audit_events_call").on(table.tenantId, sql.raw(CALL_REQUEST), table.seq).where(sql.raw(`${CALL_REQUEST} IS NOT NULL`)),
    index("audit_events_rare").on(table.tenantId, table.action, table.seq).where(sql.raw(RARE_ACTION)),
  ],
);

export const costRecords = sqliteTable(
  "cost_records",
  {
    tenantId: text("tenant_id").notNull(),
    /** The audit event that this cost belongs to. */
    seq: integer("seq").notNull(),
    at: integer("at").notNull(),
    day: text("day").notNull(),
    leaseId: text("lease_id").notNull(),
    requestId: text("request_id"),
    userId: text("user_id"),
    model: text("model").notNull(),
    revision: text("revision").notNull(),
    inputTokens: integer("input_tokens").notNull(),
    outputTokens: integer("output_tokens").notNull(),
    /** Tokens charged although no report named them: the lease expired or was revoked. */
    unreportedTokens: integer("unreported_tokens").notNull(),
    calls: integer("calls").notNull(),
    costNanos: integer("cost_nanos").notNull(),
    outcome: text("outcome").notNull(),
    errorCode: text("error_code"),
    latencyMs: integer("latency_ms"),
    ttftMs: integer("ttft_ms"),
    backend: text("backend"),
    cache: text("cache"),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.seq] })],
);

export const usageDaily = sqliteTable(
  "usage_daily",
  {
    tenantId: text("tenant_id").notNull(),
    day: text("day").notNull(),
    model: text("model").notNull(),
    /** Empty text where no user was named. */
    userId: text("user_id").notNull(),
    inputTokens: integer("input_tokens").notNull(),
    outputTokens: integer("output_tokens").notNull(),
    unreportedTokens: integer("unreported_tokens").notNull(),
    calls: integer("calls").notNull(),
    costNanos: integer("cost_nanos").notNull(),
    /** `seq` of the event that last changed the row: an older value never overwrites a newer one. */
    version: integer("version").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.day, table.model, table.userId] })],
);

/**
 * What the operator's view across tenants shows of each model: counters of all time, and the current and the previous
 * hour for quantiles, as tallies with mergeable sketches (worker/metrics/tally.ts). The hours before stay in the tenant
 * objects.
 */
export const modelMetrics = sqliteTable(
  "model_metrics",
  {
    tenantId: text("tenant_id").notNull(),
    model: text("model").notNull(),
    total: text("total").notNull(),
    recent: text("recent").notNull(),
    /** The hour (UTC, since the epoch) that `recent` ends in. */
    hour: integer("hour").notNull(),
    version: integer("version").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.model] })],
);

/**
 * A fence around what was erased: rows of these tenants are never written again (see worker/erasure). All that is left
 * of a tenant in D1.
 */
export const erasedTenants = sqliteTable("erased_tenants", {
  tenantId: text("tenant_id").primaryKey(),
  erasedAt: integer("erased_at").notNull(),
});
