/**
 * Grants of the operator's catalogue, on the tenant's side: taken, shown, revoked. A grant makes the revision a model of
 * the tenant, under the catalogue's name; from then on leases, prices and rollouts are as of any other.
 *
 * - A name that the tenant has for a model of its own is not taken from it.
 * - A grant that follows goes with what is live in the catalogue, in the place of what was granted before. Where the
 *   tenant has made a derived revision live under that name, it keeps it: the newer one is kept as a draft beside it.
 *   Where the model has a canary, that goes on, and the newer one goes live when it has ended.
 * - A revoked model, and all that was derived from it, gets no lease and no chunk of the catalogue any more; what the
 *   tenant stored itself stays, and works again with the next grant.
 */
import type { Grant } from "../../../schema/contract/catalog.ts";
import type { ModelId, RevisionId, Sha256 } from "../../../schema/contract/ids.ts";
import type { Base, Model } from "../../../schema/contract/models.ts";
import type { Identity } from "../../tenants/credential.ts";
import type { Beginnings } from "../beginnings.ts";
import type { Identified } from "../identify.ts";
import type { Revision } from "../model-shelf.ts";
import { type Refused, type Result, done, refuse } from "../result.ts";
import { type Call, type Room, identityOf } from "../room.ts";
import { ShelfLimits } from "../shelf-limits.ts";
import type { Row } from "../store.ts";
import type { Loan } from "./lending-desk.ts";
import type { Publisher } from "./model-desk.ts";
import { flowRefusal } from "./review-desk.ts";
import type { RolloutDesk } from "./rollout-desk.ts";

type Lent = Pick<Loan, "base" | "manifestSha256">;

/** A revision whose manifest is stored. `sizes`: its chunks, all of them the catalogue's; `admission`: of the draft that was begun for it. */
interface Taken {
  readonly revision: Omit<Revision, "publishedAt">;
  readonly sizes: Readonly<Record<string, number>>;
  readonly admission: string | null;
}

interface StandingRow extends Row {
  model: string;
  revision: string;
  stage: string;
  granted_until: number | null;
  granted: number | null;
  waits: number;
}

const NOT_FOLLOWING = "This tenant's grant does not follow the catalogue.";

export class LoanDesk {
  readonly #room: Room;
  readonly #rollouts: RolloutDesk;
  readonly #beginnings: Beginnings;
  readonly #limits: ShelfLimits;

  constructor(room: Room, rollouts: RolloutDesk, beginnings: Beginnings) {
    this.#room = room;
    this.#rollouts = rollouts;
    this.#beginnings = beginnings;
    this.#limits = new ShelfLimits(room);
  }

  /** Whether a model of the catalogue may have its name in this tenant, before a draft of it is begun. */
  admit(call: Call, model: ModelId): Result<null> {
    return this.#room.as(call, () => this.#refusal(model) ?? done(null));
  }

  /** `follows`: it goes with what is live in the catalogue from now on. */
  take(call: Call, lent: Lent, taken: Taken, follows: boolean): Result<Model> {
    const work = (who: Identified, now: number): Result<Model> => {
      const by = { actor: who.actor, requestId: call.requestId };
      const refused = this.#keep(by, lent, taken, now);
      if (refused) return refused;
      this.#room.loans.setFollowing(lent.base.model, follows);
      return this.#rollouts.goLiveGranted(by, lent.base.model, taken.revision.revision, null, now);
    };
    return this.#room.as(call, work, (_refusal, now) => this.#beginnings.disown(taken.revision, now));
  }

  /** Whether what is live in the catalogue is to be given to this tenant: not where it has deleted the model from its list. */
  awaits(call: Call, model: ModelId): Result<boolean> {
    const { loans, shelf } = this.#room;
    return this.#room.as<boolean>(call, () => (loans.isFollowing(model) ? (this.#refusal(model) ?? done(shelf.live(model) !== null)) : refuse("not-found", NOT_FOLLOWING)));
  }

  /** What is live in the catalogue now. `withdrawn`: it was rolled back to there, from this one. */
  follow(call: Call, lent: Lent, { withdrawn, ...taken }: Taken & { readonly withdrawn: RevisionId | null }): Result<null> {
    const { loans, shelf } = this.#room;
    const { model } = lent.base;
    const work = (who: Identified, now: number): Result<null> => {
      if (!loans.isFollowing(model)) return refuse("not-found", NOT_FOLLOWING);
      const by = { actor: who.actor, requestId: call.requestId };
      const refused = this.#keep(by, lent, taken, now);
      if (refused) return refused;
      const live = shelf.live(model);
      if (live && !live.facts.granted) return done(null); // its own, derived under this name
      const served = this.#rollouts.goLiveGranted(by, model, taken.revision.revision, withdrawn, now);
      if (served.ok && withdrawn !== null) shelf.rollouts.withdraw(model, withdrawn);
      return served.ok ? done(null) : served;
    };
    return this.#room.as(call, work, (_refusal, now) => this.#beginnings.disown(taken.revision, now));
  }

  list(call: Call, after: { model: string; revision: string }, limit: number): Result<Grant[]> {
    return this.#room.as(call, () => done(this.#room.loans.list(after, limit)));
  }

  /** Who may read this base, to derive from it. What was not granted and what is not there is one refusal. */
  base(call: Call, base: Base): Result<{ identity: Identity; manifestSha256: Sha256 }> {
    return this.#room.as<{ identity: Identity; manifestSha256: Sha256 }>(call, (who) => {
      const manifestSha256 = this.#room.loans.manifestOf(base);
      return manifestSha256 === null ? refuse("not-found", "No such revision of the catalogue was granted to this tenant.") : done({ identity: identityOf(who), manifestSha256 });
    });
  }

  revoke(call: Call, model: ModelId): Result<{ model: ModelId; revisions: RevisionId[] }> {
    const room = this.#room;
    return room.as<{ model: ModelId; revisions: RevisionId[] }>(call, (who, now) => {
      const revisions = room.loans.drop(model);
      room.shelf.rollouts.wait(model, null);
      if (revisions.length > 0) room.log(now, { action: "MODEL_GRANT_REVOKED", actor: who.actor, requestId: call.requestId, model, details: { revisions } });
      return done({ model, revisions });
    });
  }

  /**
   * The catalogue would do without this revision. True: the tenant has it no more. It is kept while anything of the
   * tenant stands on it, but for what was granted as it is and serves nobody: it is retired and granted to no client any
   * more, or it never went live and does not wait to.
   */
  letGo(call: Call, base: Base): Result<boolean> {
    const { loans, shelf, leases, store } = this.#room;
    return this.#room.as(call, (who, now) => {
      if (!loans.holds(base)) return done(true);
      const standing = store.all<StandingRow>(
        `SELECT model, revision, stage, granted_until, facts ->> '$.granted' AS granted, EXISTS (SELECT 1 FROM models m WHERE m.model = revisions.model AND m.waiting = revisions.revision) AS waits
         FROM revisions WHERE facts ->> '$.base.model' = ? AND facts ->> '$.base.revision' = ?`,
        base.model, base.revision,
      );
      const isIdle = ({ stage, granted_until, waits }: StandingRow) => (stage === "retired" && (granted_until ?? 0) <= now) || (stage === "draft" && waits === 0);
      const isUsed = standing.some((one) => one.granted !== 1 || !isIdle(one) || leases.isPinned(one.model, one.revision));
      if (isUsed) return done(false);
      for (const { model, revision } of standing) {
        shelf.collections.release({ model, revisions: [revision] }, now);
        shelf.drafts.drop({ model, revision });
      }
      loans.dropRevision(base);
      this.#room.log(now, { action: "MODEL_GRANT_REVOKED", actor: who.actor, requestId: call.requestId, model: base.model, details: { revisions: [base.revision], unused: true } });
      this.#room.arm(now);
      return done(true);
    });
  }

  /** Notes the loan, and the revision as one that is committed; whatever was live stays so. */
  #keep(by: Publisher, { base, manifestSha256 }: Lent, { revision: given, sizes, admission }: Taken, now: number): Refused | null {
    const { shelf, loans, store } = this.#room;
    const revision = { ...given, facts: { ...given.facts, granted: true as const } };
    const refused = this.#beginnings.stillOpen(revision, admission, now) ?? this.#refusal(revision.model) ?? flowRefusal(revision.facts.controlFlow === true, store) ?? this.#limits.refusesModel(revision.model, now);
    if (refused) return refused;
    const isNew = !loans.holds(base);
    loans.add(base, manifestSha256, sizes, now);
    shelf.begin(revision, sizes, now);
    shelf.rollouts.commit(revision.model, revision.revision, now);
    shelf.drafts.close({ model: revision.model, revision: revision.revision });
    if (isNew) this.#room.log(now, { action: "MODEL_GRANTED", ...by, model: revision.model, details: { base, revision: revision.revision, prices: revision.facts.prices } });
    return null;
  }

  #refusal(model: ModelId): Refused | null {
    const live = this.#room.shelf.live(model);
    const isOwn = live !== null && live.facts.base?.model !== model;
    return isOwn ? refuse("conflict", `The tenant has a model ${model} of its own. Publish the catalogue's under another name, or have that one deleted.`) : null;
  }
}
