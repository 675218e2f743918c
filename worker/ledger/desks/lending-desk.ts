/**
 * The catalogue's side of its grants: which revision is lent, and to whom. It lives in the catalogue's own object; the
 * audit of a grant stands in the tenant's, and goes with it.
 */
import { toTimestamp } from "../../../schema/contract/amounts.ts";
import type { Holder } from "../../../schema/contract/catalog.ts";
import type { ModelId, RequestId, RevisionId, Sha256, TenantId } from "../../../schema/contract/ids.ts";
import type { Base, Prices } from "../../../schema/contract/models.ts";
import type { ModelDeleted, RevisionDeleted } from "../../../schema/contract/rollout.ts";
import { type Result, done, refuse } from "../result.ts";
import type { Call, Room } from "../room.ts";
import type { Row } from "../store.ts";
import type { RemovalDesk } from "./removal-desk.ts";

export interface Loan {
  readonly base: Base;
  readonly manifestSha256: Sha256;
  /** What the catalogue states. */
  readonly prices: Prices;
}

interface HolderRow extends Row {
  model: string;
  tenant: string;
  revision: string;
  granted_at: number;
}

export class LendingDesk {
  readonly #room: Room;

  readonly #removals: RemovalDesk;

  constructor(room: Room, removals: RemovalDesk) {
    this.#room = room;
    this.#removals = removals;
  }

  /** Of what nobody holds; a revision that somebody does is refused, and so is the model. `revision` null: all of the model. */
  async remove(call: Call, model: ModelId, revision: RevisionId | null): Promise<Result<ModelDeleted | RevisionDeleted>> {
    // No await between this look and the deletion's own transaction.
    const held = this.#room.as(call, () => {
      const held = this.#room.store.first<{ n: number }>("SELECT count(DISTINCT tenant) AS n FROM holders WHERE model = ? AND (? IS NULL OR revision = ?)", model, revision, revision)?.n ?? 0;
      return held > 0 ? refuse("conflict", `${held} tenants have it. Revoke their grants first; GET …/grants lists them.`) : done(null);
    });
    if (!held.ok) return held;
    return revision === null ? this.#removals.deleteModel(call, model) : this.#removals.deleteRevision(call, model, revision);
  }

  /** Notes the tenant as one that holds the revision; `revision` null: the live one. */
  lend(call: Call, tenant: TenantId, model: ModelId, revision: RevisionId | null): Result<Loan> {
    const { shelf, store } = this.#room;
    return this.#room.as<Loan>(call, (_who, now) => {
      const named = revision ?? shelf.live(model)?.revision;
      const found = named === undefined ? null : shelf.find(model, named);
      if (!found || shelf.rollouts.find(model, found.revision)?.committedAt == null) return refuse("not-found", "The catalogue has no such model, or no such revision of it that is committed.");
      store.run("INSERT INTO holders (model, tenant, revision, granted_at) VALUES (?, ?, ?, ?) ON CONFLICT (model, tenant, revision) DO NOTHING", model, tenant, found.revision, now);
      return done({ base: { model, revision: found.revision }, manifestSha256: found.manifestSha256, prices: found.facts.prices });
    });
  }

  holders(call: Call, model: ModelId, after: { tenant: string; revision: string }, limit: number): Result<Holder[]> {
    return this.#room.as(call, () =>
      done(
        this.#room.store
          .all<HolderRow>("SELECT model, tenant, revision, granted_at FROM holders WHERE model = ? AND (tenant, revision) > (?, ?) ORDER BY tenant, revision LIMIT ?", model, after.tenant, after.revision, limit)
          .map((row) => ({ tenant: row.tenant as TenantId, model: row.model as ModelId, revision: row.revision as RevisionId, granted_at: toTimestamp(row.granted_at) })),
      ),
    );
  }

  /** `revision` null: all of the model. */
  release(call: Call, tenant: TenantId, model: ModelId, revision: RevisionId | null): Result<null> {
    return this.#room.as(call, () => {
      this.#room.store.run("DELETE FROM holders WHERE model = ? AND tenant = ? AND (? IS NULL OR revision = ?)", model, tenant, revision, revision);
      return done(null);
    });
  }

  /**
   * The tenant is being erased, and its audit with it: that it was is kept here. It is no credential's to ask: the eraser of
   * that tenant does, and may do so again.
   */
  forget(tenant: TenantId, requestId: RequestId): void {
    const room = this.#room;
    room.transact(() => {
      const now = Date.now();
      room.store.run("DELETE FROM holders WHERE tenant = ?", tenant);
      room.idempotency.once({ by: "eraser", key: tenant, bodySha256: "" }, now, () => {
        room.log(now, { action: "ERASURE_STARTED", actor: "operator", requestId, details: { tenant } });
        return done(null);
      });
    });
  }
}
