/**
 * Where tenant objects say that D1 is behind for them: one object for the deployment, so that the lag can be read while
 * D1 is away, without asking every tenant.
 *
 * - Nobody writes here while all goes well: an object reports after an attempt that failed, and when it has caught up.
 * - A report that is not renewed is forgotten: an object that is behind tries at least once a minute.
 * - It knows ids and counts, nothing of what waits.
 */
import { DurableObject } from "cloudflare:workers";
import type { TenantId } from "../../schema/contract/ids.ts";
import type { Env } from "../env.ts";

const FORGET_MS = 10 * 60_000;
const SHOWN = 1_000;

export interface Behind {
  readonly tenant: TenantId;
  /** Events that D1 does not have yet. */
  readonly events: number;
  /** When the oldest of them happened, in milliseconds since the epoch. */
  readonly since: number;
}

export interface LagSummary {
  readonly tenants: number;
  readonly events: number;
  readonly oldest: number | null;
}

export class LagBoard extends DurableObject<Env> {
  readonly #sql: SqlStorage;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS behind (tenant TEXT PRIMARY KEY, events INTEGER NOT NULL, since INTEGER NOT NULL, reported_at INTEGER NOT NULL) WITHOUT ROWID");
  }

  async isBehind({ tenant, events, since }: Behind): Promise<void> {
    const now = Date.now();
    this.#sql.exec(
      "INSERT INTO behind (tenant, events, since, reported_at) VALUES (?, ?, ?, ?) ON CONFLICT (tenant) DO UPDATE SET events = excluded.events, since = excluded.since, reported_at = excluded.reported_at",
      tenant, events, since, now,
    );
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(now + FORGET_MS);
  }

  hasCaughtUp(tenant: TenantId): void {
    this.#sql.exec("DELETE FROM behind WHERE tenant = ?", tenant);
  }

  summary(): LagSummary {
    return this.#sql
      .exec<{ tenants: number; events: number; oldest: number | null }>("SELECT count(*) AS tenants, coalesce(sum(events), 0) AS events, min(since) AS oldest FROM behind WHERE reported_at > ?", Date.now() - FORGET_MS)
      .one();
  }

  /** Those that are behind the most. */
  worst(): Behind[] {
    return this.#sql
      .exec<{ tenant: TenantId; events: number; since: number }>("SELECT tenant, events, since FROM behind WHERE reported_at > ? ORDER BY events DESC, tenant LIMIT ?", Date.now() - FORGET_MS, SHOWN)
      .toArray();
  }

  override async alarm(): Promise<void> {
    this.#sql.exec("DELETE FROM behind WHERE reported_at <= ?", Date.now() - FORGET_MS);
    const { oldest } = this.#sql.exec<{ oldest: number | null }>("SELECT min(reported_at) AS oldest FROM behind").one();
    if (oldest !== null) await this.ctx.storage.setAlarm(oldest + FORGET_MS);
  }
}

export const lagBoard = (env: Env): DurableObjectStub<LagBoard> => env.LAG_BOARD.get(env.LAG_BOARD.idFromName("board"));
