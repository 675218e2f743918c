/**
 * What has to be known of a revision before its commit: whether its models are to be inspected, and how strictly. The
 * Worker inspects, for that takes time and many reads of R2; the object knows the rules.
 */
import type { ModelId, RevisionId, Sha256 } from "../../../schema/contract/ids.ts";
import type { Identity } from "../../tenants/credential.ts";
import type { Base } from "../../../schema/contract/models.ts";
import { readConfig } from "../config.ts";
import type { LoanBook } from "../loan-book.ts";
import { type Refused, type Result, done, refuse } from "../result.ts";
import { type Call, type Room, identityOf } from "../room.ts";
import type { Store } from "../store.ts";

export interface Review {
  readonly identity: Identity;
  readonly model: ModelId;
  readonly revision: RevisionId;
  readonly manifestSha256: Sha256;
  readonly allowControlFlow: boolean;
  /** Chunks that are read from the operator's catalogue. */
  readonly lent: readonly Sha256[];
}

export class ReviewDesk {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  /** null: it is committed, not all here, or this very call was answered before. The commit itself says so. */
  open(call: Call, model: string, revision: string): Result<Review | null> {
    const { shelf, loans, store, idempotency } = this.#room;
    return this.#room.as<Review | null>(call, (who, now) => {
      const draft = shelf.find(model, revision);
      if (!draft || shelf.rollouts.find(model, revision)?.committedAt != null || idempotency.recall(call.idempotent ?? null, now)) return done(null);
      const declared = draft.facts.controlFlow === true;
      const refused = flowRefusal(declared, store);
      if (refused || shelf.unfit(model, revision).length > 0) return refused ?? done(null);
      return done({ identity: identityOf(who), model: draft.model, revision: draft.revision, manifestSha256: draft.manifestSha256, allowControlFlow: declared, lent: loans.chunksFor(model, revision) });
    });
  }
}

/** Whether what a revision stands on is lent to the tenant; a revision that stands on nothing may be rolled out. */
export function baseRefusal(base: Base | null, loans: LoanBook): Refused | null {
  if (base === null || loans.holds(base)) return null;
  return refuse("base-not-granted", `It stands on ${base.model} of the operator's catalogue, revision ${base.revision}, which is not granted to this tenant any more: nobody would get a lease of it. Ask the operator to grant it again, or take another revision.`);
}

/** Whether a revision that says that it has control flow may be begun, committed, granted and rolled out. */
export function flowRefusal(declared: boolean, store: Store): Refused | null {
  if (!declared || readConfig(store).profile.allowControlFlow) return null;
  return refuse("model-control-flow", "Models of this tenant may not have control flow. Ask the operator to set allow_control_flow, or take a revision without it.");
}
