/**
 * Of the catalogue's own object: who gets what is live there when it changes. Each method runs inside the object's
 * transaction.
 *
 * - The tenant's object says whether it follows; a row here only says that it is to be asked.
 * - What is due stays due until the very revision that is live was given, or the tenant follows no more.
 */
import type { ModelId, RevisionId, TenantId } from "../../schema/contract/ids.ts";
import type { Prices } from "../../schema/contract/models.ts";
import type { Row, Store } from "./store.ts";

export interface Follower {
  readonly model: ModelId;
  readonly tenant: TenantId;
  /** null: those that the catalogue's revision states. */
  readonly prices: Prices | null;
  readonly given: RevisionId | null;
  readonly attempts: number;
  readonly nextAt: number | null;
  /** It may follow no more: it is asked, though it has what is live. */
  readonly isDoubted: boolean;
  /** Names the doubt. */
  readonly doubted: number;
}

interface FollowerRow extends Row {
  model: string;
  tenant: string;
  prices: string | null;
  given: string | null;
  attempts: number;
  next_at: number | null;
  doubted: number;
}

export class FollowerBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * From now on; `given`: what it is about to have. One that follows already is asked at `askAt` what it has: the grant may
   * not come to be, and what it was to be given before is still due.
   */
  add(model: string, tenant: string, prices: Prices | null, given: string, askAt: number): void {
    this.#store.run(
      `INSERT INTO followers (model, tenant, prices, given) VALUES (?, ?, ?, ?)
         ON CONFLICT (model, tenant) DO UPDATE SET prices = excluded.prices, next_at = ?, attempts = 0, error = NULL`,
      model, tenant, prices && JSON.stringify(prices), given, askAt,
    );
  }

  /**
   * A grant that does not follow is about to take its place, or is refused: at `askAt` it is asked whether it follows still.
   * Each doubt is later than those before, so that an answer can be told to be of an earlier one.
   */
  doubt(tenant: string, model: string, askAt: number): void {
    this.#store.run("UPDATE followers SET doubted = max(doubted + 1, ?), next_at = min(coalesce(next_at, ?), ?) WHERE model = ? AND tenant = ?", askAt, askAt, askAt, model, tenant);
  }

  /** It said that it follows no more, unless it was granted anew since it was asked. */
  dropAsked({ tenant, model, nextAt }: Follower): void {
    this.#store.run("DELETE FROM followers WHERE model = ? AND tenant = ? AND next_at IS ?", model, tenant, nextAt);
  }

  drop(tenant: string, model: string): void {
    this.#store.run("DELETE FROM followers WHERE model = ? AND tenant = ?", model, tenant);
  }

  forget(tenant: string): void {
    this.#store.run("DELETE FROM followers WHERE tenant = ?", tenant);
  }

  /** Another revision of the model is live. */
  expect(model: string, now: number): void {
    this.#store.run("UPDATE followers SET next_at = ?, attempts = 0, error = NULL WHERE model = ?", now, model);
  }

  nextAt(): number | null {
    return this.#store.first<{ at: number | null }>("SELECT min(next_at) AS at FROM followers")?.at ?? null;
  }

  due(now: number, limit: number): Follower[] {
    return this.#store
      .all<FollowerRow>("SELECT model, tenant, prices, given, attempts, next_at, doubted FROM followers WHERE next_at <= ? ORDER BY next_at, model, tenant LIMIT ?", now, limit)
      .map((row) => ({ model: row.model as ModelId, tenant: row.tenant as TenantId, prices: row.prices === null ? null : (JSON.parse(row.prices) as Prices), given: row.given as RevisionId | null, attempts: row.attempts, nextAt: row.next_at, isDoubted: row.doubted > 0, doubted: row.doubted }));
  }

  /** `live`: what is live by now. What it was asked before a doubt was to be asked, or raised, leaves that doubt. */
  given({ model, tenant, doubted }: Follower, revision: string, live: string | null, askedAt: number): void {
    const isSettled = "doubted = ? AND doubted <= ?";
    this.#store.run(
      `UPDATE followers SET given = ?, attempts = 0, error = NULL, doubted = CASE WHEN ${isSettled} THEN 0 ELSE doubted END,
         next_at = CASE WHEN NOT ? THEN next_at WHEN ${isSettled} THEN NULL ELSE doubted END WHERE model = ? AND tenant = ?`,
      revision, doubted, askedAt, revision === live ? 1 : 0, doubted, askedAt, model, tenant,
    );
  }

  failed({ model, tenant }: Follower, error: string, at: number): void {
    this.#store.run("UPDATE followers SET attempts = attempts + 1, error = ?, next_at = ? WHERE model = ? AND tenant = ?", error, at, model, tenant);
  }
}
