/**
 * Grants of the operator's catalogue, on the tenant's side: taken, shown, revoked. A grant makes the revision a model of
 * the tenant, under the catalogue's name; from then on leases, prices and rollouts are as of any other.
 *
 * - A name that the tenant has for a model of its own is not taken from it.
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
import type { Loan } from "./lending-desk.ts";
import { flowRefusal } from "./review-desk.ts";
import type { RolloutDesk } from "./rollout-desk.ts";

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

  /** The manifest is stored. `sizes`: the revision's chunks, all of them the catalogue's; `admission`: of the draft that was begun for it. */
  take(call: Call, { base, manifestSha256 }: Pick<Loan, "base" | "manifestSha256">, revision: Omit<Revision, "publishedAt">, sizes: Readonly<Record<string, number>>, admission: string | null): Result<Model> {
    const { shelf, loans, store } = this.#room;
    const begin = (who: Identified, now: number): Result<Model> => {
      const refused = this.#beginnings.stillOpen(revision, admission, now) ?? this.#refusal(revision.model) ?? flowRefusal(revision.facts.controlFlow === true, store) ?? this.#limits.refusesModel(revision.model, now);
      if (refused) return refused;
      const isNew = !loans.holds(base);
      loans.add(base, manifestSha256, sizes, now);
      shelf.begin(revision, sizes, now);
      shelf.rollouts.commit(revision.model, revision.revision, now);
      shelf.drafts.close({ model: revision.model, revision: revision.revision });
      const by = { actor: who.actor, requestId: call.requestId };
      if (isNew) this.#room.log(now, { action: "MODEL_GRANTED", ...by, model: revision.model, details: { base, revision: revision.revision, prices: revision.facts.prices } });
      return this.#rollouts.goLive(by, revision.model, revision.revision, now);
    };
    return this.#room.as(call, begin, (_refusal, now) => this.#beginnings.disown(revision, now));
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
      if (revisions.length > 0) room.log(now, { action: "MODEL_GRANT_REVOKED", actor: who.actor, requestId: call.requestId, model, details: { revisions } });
      return done({ model, revisions });
    });
  }

  #refusal(model: ModelId): Refused | null {
    const live = this.#room.shelf.live(model);
    const isOwn = live !== null && live.facts.base?.model !== model;
    return isOwn ? refuse("conflict", `The tenant has a model ${model} of its own. Publish the catalogue's under another name, or have that one deleted.`) : null;
  }
}
