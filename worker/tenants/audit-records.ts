/**
 * The questions about one tenant's audit events in D1. Part of `TenantRecords`; every statement carries the tenant's id.
 *
 * - `since` and `until` become places in the chain, found by halving: `at` never goes back along it.
 * - A filter on a user, a request or a rare action reads its index. Other filters read the chain from the cursor on, no
 *   more than `MOST_READ` events of it for a page: what is rare among them takes several pages, some of them empty.
 */
import { and, asc, desc, eq, gt } from "drizzle-orm";
import type { DrizzleD1Database } from "drizzle-orm/d1";
import type { TenantId } from "../../schema/contract/ids.ts";
import { CALL_REQUEST, RARE_ACTION, auditEvents } from "../../schema/tables/d1.ts";
import type { StoredEvent } from "../audit/verify-chain.ts";

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

/** What a page found, and the event beyond which the next goes on; null: there is no more. */
export interface FoundEvents {
  readonly events: readonly StoredEvent[];
  readonly next: number | null;
}

/** Events that are read for one page where no index leads to them: a twentieth of a second of D1. */
export const MOST_READ = 20_000;

const FREQUENT: ReadonlySet<string> = new Set(["LEASE_GRANTED", "INFERENCE_EXECUTED"]);
const COLUMNS = "seq, at, action, actor, user_id AS userId, model, request_id AS requestId, details, prev_hash AS prevHash, hash";

/**
 * The index is named: without statistics, which D1 does not keep up to date by itself, SQLite takes the primary key for
 * as good as any and reads the whole chain. (drizzle has no INDEXED BY: the one read that is written out.)
 */
function indexFor({ user, action }: PlacedFilter): { index: string; conditions: string[] } {
  if (user !== undefined) return { index: "INDEXED BY audit_events_user", conditions: [] };
  if (action !== undefined && !FREQUENT.has(action)) return { index: "INDEXED BY audit_events_rare", conditions: [RARE_ACTION] };
  return { index: "", conditions: [] };
}

const BY_REQUEST = [
  { index: "INDEXED BY audit_events_request", id: "request_id" },
  { index: "INDEXED BY audit_events_call", id: CALL_REQUEST },
] as const;

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
    const [from, to] = await Promise.all([since, until].map((at) => (at === undefined ? undefined : seqAt(this.#d1, this.#tenant, at))));
    return { ...rest, from, to };
  }

  async find(filter: PlacedFilter, page: AuditPage): Promise<FoundEvents> {
    const whole = await this.#stretch(filter, page);
    const read = isRead(filter) ? part(whole, page.order) : whole;
    const events = await this.#select(filter, read, page.order, page.limit + 1);
    if (events.length > page.limit) return { events: events.slice(0, page.limit), next: (events[page.limit - 1] as StoredEvent).seq };
    const isAll = read.above === whole.above && read.below === whole.below;
    return { events, next: isAll ? null : page.order === "asc" ? read.below - 1 : read.above + 1 };
  }

  /** Where events of a page can be. Its ends are those of the chain where it is to be read in parts. */
  async #stretch(filter: PlacedFilter, { order, beyond }: AuditPage): Promise<Stretch> {
    const end = isRead(filter) ? 1 + Number((await this.lastSeq()) ?? 0) : Number.MAX_SAFE_INTEGER;
    return {
      above: Math.max(order === "asc" ? (beyond ?? 0) : 0, (filter.from ?? 1) - 1),
      below: Math.min(order === "desc" ? (beyond ?? end) : end, filter.to ?? end),
    };
  }

  async #select(filter: PlacedFilter, { above, below }: Stretch, order: "asc" | "desc", limit: number): Promise<StoredEvent[]> {
    const wanted: [condition: string, value: unknown][] = [
      ["tenant_id = ?", this.#tenant],
      ["seq > ?", above],
      ["seq < ?", below],
    ];
    for (const [condition, value] of [["action = ?", filter.action], ["user_id = ?", filter.user], ["model = ?", filter.model]] as const) {
      if (value !== undefined) wanted.push([condition, value]);
    }
    // A request is found as that of the inference or as that of the call: no event has the same id twice.
    const ways = filter.requestId === undefined ? [{ ...indexFor(filter), more: [] }] : BY_REQUEST.map(({ index, id }) => ({ index, conditions: [`${id} = ?`], more: [filter.requestId] }));
    const selects = ways.map(({ index, conditions }) => `SELECT ${COLUMNS} FROM audit_events ${index} WHERE ${[...wanted.map(([condition]) => condition), ...conditions].join(" AND ")}`);
    const text = `${selects.join(" UNION ALL ")} ORDER BY seq ${order === "asc" ? "ASC" : "DESC"} LIMIT ?`;
    const values = ways.flatMap(({ more }) => [...wanted.map(([, value]) => value), ...more]);
    return (await this.#d1.prepare(text).bind(...values, limit).all<StoredEvent>()).results;
  }

  /** Rows of the chain as they stand, with nothing between them and what is stored. `after` null: from the first row on, whatever its number. */
  chain(after: number | null, limit: number) {
    const wanted = and(eq(auditEvents.tenantId, this.#tenant), after === null ? undefined : gt(auditEvents.seq, after));
    return this.#db.select().from(auditEvents).where(wanted).orderBy(asc(auditEvents.seq)).limit(limit).all();
  }

  async lastSeq(): Promise<unknown> {
    const [row] = await this.#db.select({ seq: auditEvents.seq }).from(auditEvents).where(eq(auditEvents.tenantId, this.#tenant)).orderBy(desc(auditEvents.seq)).limit(1).all();
    return row?.seq ?? null;
  }

}

/** The first event at or after an instant. */
export async function seqAt(d1: D1Database, tenant: TenantId, at: number): Promise<number> {
  const row = await d1.prepare(SEQ_AT).bind(tenant, at).first<{ low: number }>();
  return row?.low ?? 1;
}

/** Events between two places, neither included. */
interface Stretch {
  readonly above: number;
  readonly below: number;
}

/** Whether the chain itself is read for it: it filters, and by nothing that an index knows. */
function isRead({ user, requestId, action, model }: PlacedFilter): boolean {
  if (user !== undefined || requestId !== undefined || (action !== undefined && !FREQUENT.has(action))) return false;
  return action !== undefined || model !== undefined;
}

/** As much of a stretch as is read for one page. */
function part({ above, below }: Stretch, order: "asc" | "desc"): Stretch {
  return order === "asc" ? { above, below: Math.min(below, above + MOST_READ + 1) } : { above: Math.max(above, below - MOST_READ - 1), below };
}

export interface PlacedFilter extends Omit<AuditFilter, "since" | "until"> {
  /** The first place that counts, and the first that no longer does. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}
