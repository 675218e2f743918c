/**
 * The catalogue's side of its grants: which revision is lent, and to whom. It lives in the catalogue's own object; the
 * audit of a grant stands in the tenant's, and goes with it.
 *
 * - A revision is deleted once nobody holds it. Who holds it is asked to let it go, which a tenant does of what nothing
 *   of it stands on; who was lent it minutes ago is not asked, for it may be about to take it.
 */
import { toTimestamp } from "../../../schema/contract/amounts.ts";
import type { Holder } from "../../../schema/contract/catalog.ts";
import type { ModelId, RequestId, RevisionId, Sha256, TenantId } from "../../../schema/contract/ids.ts";
import type { Base, Prices } from "../../../schema/contract/models.ts";
import type { ModelDeleted, RevisionDeleted } from "../../../schema/contract/rollout.ts";
import { operatorCall } from "../../catalog/catalog.ts";
import { authorityOf } from "../../tenants/authority.ts";
import type { FollowerBook } from "../follower-book.ts";
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
  follows: number;
  error: string | null;
  next_at: number | null;
}

/** How long a grant takes at most: until then the tenant may be about to take what it was lent. */
const LENDING_MS = 600_000;
/** Tenants that are asked to let go in one deletion; another goes on with the next. */
const MAX_ASKED = 200;
const ASKED_AT_ONCE = 8;

/** What of a model is to be lent: a revision, or what is live. `prices` null: what the catalogue states. */
interface Wanted {
  readonly revision: RevisionId | null;
  readonly follows: boolean;
  readonly prices: Prices | null;
}

export class LendingDesk {
  readonly #room: Room;

  readonly #removals: RemovalDesk;
  readonly #followers: FollowerBook;

  constructor(room: Room, removals: RemovalDesk, followers: FollowerBook) {
    this.#room = room;
    this.#removals = removals;
    this.#followers = followers;
  }

  /** Of what nobody holds; a revision that somebody uses is refused, and so is a model that is granted. `revision` null: all of the model. */
  async remove(call: Call, model: ModelId, revision: RevisionId | null): Promise<Result<ModelDeleted | RevisionDeleted>> {
    if (revision !== null && this.#isUnserved(model, revision)) await this.#letGo(call, { model, revision });
    // No await between this look and the deletion's own transaction.
    const held = this.#room.as(call, () => {
      const held = this.#room.store.first<{ n: number }>("SELECT count(DISTINCT tenant) AS n FROM holders WHERE model = ? AND (? IS NULL OR revision = ?)", model, revision, revision)?.n ?? 0;
      return held > 0 ? refuse("conflict", `${held} tenants have it and use it. Revoke their grants first; GET …/grants lists them.`) : done(null);
    });
    if (!held.ok) return held;
    return revision === null ? this.#removals.deleteModel(call, model) : this.#removals.deleteRevision(call, model, revision);
  }

  /** A draft is: it may have been tried on some tenants, by grants that named it. */
  #isUnserved(model: ModelId, revision: RevisionId): boolean {
    const stage = this.#room.shelf.rollouts.find(model, revision)?.stage;
    return stage === "retired" || stage === "draft";
  }

  /** Asks who holds it and does not use it to hold it no more. A tenant that does not answer holds it still. */
  async #letGo(call: Call, base: Base): Promise<void> {
    const { env, store } = this.#room;
    const asked = store.all<{ tenant: TenantId }>("SELECT tenant FROM holders WHERE model = ? AND revision = ? AND granted_at <= ? LIMIT ?", base.model, base.revision, Date.now() - LENDING_MS, MAX_ASKED);
    const ask = async () => {
      for (let next = asked.shift(); next; next = asked.shift()) {
        const { tenant } = next;
        const gone = await authorityOf(env, tenant).loans.letGo(operatorCall(tenant, call.requestId), base).catch(() => null); // told where it failed
        if (gone?.ok && gone.value) this.#room.transact(() => this.unnote(tenant, base));
      }
    };
    await Promise.all(Array.from({ length: ASKED_AT_ONCE }, ask));
  }

  /** The tenant holds the revision, or is about to. In the caller's transaction. */
  note(tenant: TenantId, { model, revision }: Base, now: number): void {
    this.#room.store.run("INSERT INTO holders (model, tenant, revision, granted_at) VALUES (?, ?, ?, ?) ON CONFLICT (model, tenant, revision) DO UPDATE SET granted_at = excluded.granted_at", model, tenant, revision, now);
  }

  unnote(tenant: TenantId, { model, revision }: Base): void {
    this.#room.store.run("DELETE FROM holders WHERE model = ? AND tenant = ? AND revision = ?", model, tenant, revision);
  }

  /** Notes the tenant as one that holds the revision; without a revision: the live one. */
  lend(call: Call, tenant: TenantId, model: ModelId, { revision, follows, prices }: Wanted): Result<Loan> {
    const { shelf } = this.#room;
    return this.#room.as<Loan>(call, (_who, now) => {
      const named = revision ?? shelf.live(model)?.revision;
      const found = named === undefined ? null : shelf.find(model, named);
      if (!found || shelf.rollouts.find(model, found.revision)?.committedAt == null) return refuse("not-found", "The catalogue has no such model, or no such revision of it that is committed.");
      this.note(tenant, { model, revision: found.revision }, now);
      if (follows) {
        this.#followers.add(model, tenant, prices, found.revision, now + LENDING_MS);
        this.#room.arm(now + LENDING_MS);
      } else {
        this.#followers.doubt(tenant, model, now + LENDING_MS);
        this.#room.arm(now + LENDING_MS);
      }
      return done({ base: { model, revision: found.revision }, manifestSha256: found.manifestSha256, prices: found.facts.prices });
    });
  }

  /** It took a grant that does not follow: it says so itself, at once. */
  doubt(call: Call, tenant: TenantId, model: ModelId): Result<null> {
    return this.#room.as(call, (_who, now) => {
      this.#followers.doubt(tenant, model, now);
      this.#room.arm(now);
      return done(null);
    });
  }

  holders(call: Call, model: ModelId, after: { tenant: string; revision: string }, limit: number): Result<Holder[]> {
    return this.#room.as(call, () =>
      done(
        this.#room.store
          .all<HolderRow>(
            `SELECT h.model, h.tenant, h.revision, h.granted_at, f.model IS NOT NULL AS follows, f.error, f.next_at
             FROM holders h LEFT JOIN followers f ON f.model = h.model AND f.tenant = h.tenant
             WHERE h.model = ? AND (h.tenant, h.revision) > (?, ?) ORDER BY h.tenant, h.revision LIMIT ?`,
            model, after.tenant, after.revision, limit,
          )
          .map(toHolder),
      ),
    );
  }

  /** `revision` null: all of the model. */
  release(call: Call, tenant: TenantId, model: ModelId, revision: RevisionId | null): Result<null> {
    return this.#room.as(call, () => {
      this.#room.store.run("DELETE FROM holders WHERE model = ? AND tenant = ? AND (? IS NULL OR revision = ?)", model, tenant, revision, revision);
      if (revision === null) this.#followers.drop(tenant, model);
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
      this.#followers.forget(tenant);
      room.idempotency.once({ by: "eraser", key: tenant, bodySha256: "" }, now, () => {
        room.log(now, { action: "ERASURE_STARTED", actor: "operator", requestId, details: { tenant } });
        return done(null);
      });
    });
  }
}

const toHolder = (row: HolderRow): Holder => ({
  tenant: row.tenant as TenantId,
  model: row.model as ModelId,
  revision: row.revision as RevisionId,
  granted_at: toTimestamp(row.granted_at),
  follows: row.follows === 1,
  behind: row.error === null || row.next_at === null ? null : { error: row.error, next_at: toTimestamp(row.next_at) },
});
