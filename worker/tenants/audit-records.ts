/**
 * The questions about one tenant's audit events in D1. Part of `TenantRecords`; every statement carries the tenant's id.
 *
 * - `since` and `until` become places in the chain, found by halving: `at` never goes back along it.
 * - A filter on a user, a request or a rare action reads its index; other filters read the chain from the cursor on,
 *   and stop when the page is full.
 */
import { type SQL, and, asc, desc, eq, gt, lt, sql } from "drizzle-orm";
import type { DrizzleD1Database } from "drizzle-orm/d1";
import type { TenantId } from "../../schema/contract/ids.ts";
import { RARE_ACTION, auditEvents } from "../../schema/tables/d1.ts";

export interface AuditFilter {
  readonly action?: string | undefined;
  readonly user?: string | undefined;
  readonly model?: string | undefined;
  readonly requestId?: string | undefined;
  /** Events at or after this instant, and before the other. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

export interface AuditPage {
  readonly order: "asc" | "desc";
  /** Events beyond this `seq`, in the order of reading. */
  readonly beyond?: number | undefined;
  readonly limit: number;
}

const FREQUENT = new Set(["LEASE_GRANTED", "INFERENCE_EXECUTED"]);

/** The first event at or after an instant: the place where a range of time begins. One past the last where there is none. */
const AT_MIDDLE = "(SELECT at FROM audit_events WHERE tenant_id = ?1 AND seq >= (low + high) / 2 ORDER BY seq LIMIT 1)";
const SEQ_AT = `
  WITH RECURSIVE search (low, high) AS (
    SELECT 1, 1 + coalesce((SELECT max(seq) FROM audit_events WHERE tenant_id = ?1), 0)
    UNION ALL
    SELECT iif(${AT_MIDDLE} < ?2, (low + high) / 2 + 1, low), iif(${AT_MIDDLE} < ?2, high, (low + high) / 2) FROM search WHERE low < high
  )
  SELECT low FROM search WHERE low >= high`;

export class AuditRecords {
  readonly #tenant: TenantId;
  readonly #d1: D1Database;
  readonly #db: DrizzleD1Database;

  constructor(tenant: TenantId, d1: D1Database, db: DrizzleD1Database) {
    this.#tenant = tenant;
    this.#d1 = d1;
    this.#db = db;
  }

  /** A filter whose instants have become places: to be used for every page of one answer. */
  async placed({ since, until, ...rest }: AuditFilter): Promise<PlacedFilter> {
    const [from, to] = await Promise.all([since, until].map((at) => (at === undefined ? undefined : this.#seqAt(at))));
    return { ...rest, from, to };
  }

  find(filter: PlacedFilter, { order, beyond, limit }: AuditPage) {
    const after = Math.max(order === "asc" ? (beyond ?? 0) : 0, (filter.from ?? 1) - 1);
    const before = Math.min(order === "desc" ? (beyond ?? Number.MAX_SAFE_INTEGER) : Number.MAX_SAFE_INTEGER, filter.to ?? Number.MAX_SAFE_INTEGER);
    const wanted: (SQL | undefined)[] = [
      eq(auditEvents.tenantId, this.#tenant),
      gt(auditEvents.seq, after),
      before === Number.MAX_SAFE_INTEGER ? undefined : lt(auditEvents.seq, before),
      filter.action === undefined ? undefined : eq(auditEvents.action, filter.action),
      filter.action === undefined || FREQUENT.has(filter.action) ? undefined : sql.raw(RARE_ACTION),
      filter.user === undefined ? undefined : eq(auditEvents.userId, filter.user),
      filter.model === undefined ? undefined : eq(auditEvents.model, filter.model),
      filter.requestId === undefined ? undefined : eq(auditEvents.requestId, filter.requestId),
    ];
    return this.#db.select().from(auditEvents).where(and(...wanted)).orderBy(order === "asc" ? asc(auditEvents.seq) : desc(auditEvents.seq)).limit(limit).all();
  }

  /** Rows of the chain as they stand, with nothing between them and what is stored. */
  chain(after: number, limit: number) {
    const wanted = and(eq(auditEvents.tenantId, this.#tenant), gt(auditEvents.seq, after));
    return this.#db.select().from(auditEvents).where(wanted).orderBy(asc(auditEvents.seq)).limit(limit).all();
  }

  async lastSeq(): Promise<unknown> {
    const [row] = await this.#db.select({ seq: auditEvents.seq }).from(auditEvents).where(eq(auditEvents.tenantId, this.#tenant)).orderBy(desc(auditEvents.seq)).limit(1).all();
    return row?.seq ?? null;
  }

  async #seqAt(at: number): Promise<number> {
    const row = await this.#d1.prepare(SEQ_AT).bind(this.#tenant, at).first<{ low: number }>();
    return row?.low ?? 1;
  }
}

export interface PlacedFilter extends Omit<AuditFilter, "since" | "until"> {
  /** The first place that counts, and the first that no longer does. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}
