/**
 * Which revision of a model a lease is for. Pure.
 *
 * - A share of the users gets the canary. Who is of it follows from tenant, model and user alone, so that each user sees
 *   the same revision every time, and a higher percentage only adds users.
 * - A lease without a user goes by the key that it is bound to: a browser keeps that. What has neither can't be told
 *   apart from one time to the next, and gets the live revision.
 * - A client that has another revision ready goes on with it while it fetches the one in force: the live one beside a
 *   canary, or one that was replaced lately. A canary is granted to its share alone, whatever a client has.
 */
import { sha256Hex } from "./audit-chain.ts";
import type { Staged } from "./rollout-book.ts";

/** Whoever is told apart by a canary. */
export interface Asker {
  readonly tenant: string;
  readonly model: string;
  readonly user: string | null;
  /** Thumbprint of the key that the lease is to be bound to. */
  readonly jkt: string | null;
}

/** What may be granted of a model; `ready`: the revision that the client has, where the model has it. */
export interface Offer {
  readonly live: Staged;
  readonly canary: Staged | null;
  readonly ready: Staged | null;
}

export interface Choice {
  readonly granted: Staged;
  /** Where the client's own is granted: what it should fetch, and how long its own will do; null: no end is set. */
  readonly next: { readonly due: Staged; readonly until: number | null } | null;
}

const SPAN = 2 ** 32;

/** Where a user stands, from 0 to below 1; null for whom nothing tells apart. */
export function placeOf({ tenant, model, user, jkt }: Asker): number | null {
  const subject = user === null ? (jkt === null ? null : `key\n${jkt}`) : `user\n${user}`;
  return subject === null ? null : Number.parseInt(sha256Hex(`${tenant}\n${model}\n${subject}`).slice(0, 8), 16) / SPAN;
}

export function chooseRevision({ live, canary, ready }: Offer, asker: Asker, now: number): Choice {
  const place = canary && placeOf(asker);
  const due = canary?.percent != null && place !== null && place * 100 < canary.percent ? canary : live;
  const until = ready?.stage === "retired" ? ready.grantedUntil : null;
  const isKept = ready !== null && (ready.stage === "live" || (until !== null && until > now));
  return isKept && ready.revision !== due.revision ? { granted: ready, next: { due, until } } : { granted: due, next: null };
}
