/** Leases of the tenant: grant, state, usage; and the chores that book what is due. */
import { ceilingNanos } from "../../../schema/contract/measure.ts";
import type { ModelId, RevisionId, Sha256, TenantId } from "../../../schema/contract/ids.ts";
import { type LeaseCreate, type LeaseState, MAX_OFFLINE_TTL_SECONDS, MAX_TTL_SECONDS, OFFLINE_GRACE_SECONDS, type UsageReport } from "../../../schema/contract/leases.ts";
import { REFUSED_LIMIT, standsOf } from "../../alerts/thresholds.ts";
import type { Quota } from "../../../schema/contract/policy.ts";
import type { ProblemCode } from "../../../schema/contract/problems.ts";
import { labelled } from "../../tenants/context.ts";
import { callNamed } from "../audit-chain.ts";
import { ANONYMOUS } from "../books.ts";
import { dayAt } from "../calendar.ts";
import { readConfig } from "../config.ts";
import { chooseRevision } from "../choose-revision.ts";
import { afterHold, decideHold } from "../decide-hold.ts";
import { Floods } from "../floods.ts";
import type { Identified } from "../identify.ts";
import { type LeaseRow, toLeaseState } from "../lease-row.ts";
import { unlocked } from "../secret-vault.ts";
import type { UserIdentities } from "../user-identities.ts";
import { type Refusal, type Result, done, refuse } from "../result.ts";
import type { Presented } from "../../tenants/credential.ts";
import type { KeyRing } from "../key-ring.ts";
import type { Call, Chore, Room } from "../room.ts";

/** What the Worker signs into a lease, and what stands beside it in the answer. */
export interface Granted {
  readonly leaseId: LeaseState["lease_id"];
  readonly tenant: TenantId;
  readonly model: ModelId;
  readonly revision: RevisionId;
  readonly manifestSha256: Sha256;
  readonly purpose: LeaseCreate["purpose"];
  readonly hold: number;
  readonly calls: number;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly reportsUntil: number;
  /** The revision in force for the user, where the lease is for the one that the client has. */
  readonly next: { readonly revision: RevisionId; readonly manifestSha256: Sha256; readonly until: number | null } | null;
  readonly quota: Quota;
}

/**
 * `contentKey`: under which the tenant's weights are cached in the browser; `standing`: the limits now, which for a
 * repeat are not those of the grant. None of it is kept with the answers to repeat.
 */
export type GrantedWithKey = Granted & { readonly contentKey: string; readonly dpopNonce: string; readonly standing: Quota };

/** A lease as it stands, and the limits that it is charged to. */
export interface Standing {
  readonly state: LeaseState;
  readonly quota: Quota;
}

interface DeniedBy {
  readonly actor: string;
  readonly user: string | null;
  readonly model: string | null;
  readonly requestId: string | null;
}

/** Limits that refuse every lease of the tenant or the key alike until time has passed: no report and no other lease changes that. */
const ENDED_BY_TIME: ReadonlySet<ProblemCode> = new Set(["requests-per-minute-exceeded", "key-requests-per-minute-exceeded"]);
/** How long a limit that was raised may go unheard of by a flood. */
const HELD_MS = 1_000;

const NOBODY: DeniedBy = { actor: "system", user: null, model: null, requestId: null };

export class LeaseDesk {
  readonly #room: Room;
  readonly #users: UserIdentities;
  readonly #floods = new Floods();

  constructor(room: Room, users: UserIdentities) {
    this.#room = room;
    this.#users = users;
  }

  grant(call: Call, ask: LeaseCreate): Result<GrantedWithKey> {
    const room = this.#room;
    return unlocked(room.tenant, () =>
      room.as<GrantedWithKey>(
        call,
        (who, now) => {
          let isNew = false;
          const answer = room.idempotency.once(call.idempotent ?? null, now, () => {
            isNew = true;
            const decided = this.#decide(who, ask, call, now);
            if (decided.ok) return decided;
            this.#countDenial(decided.refusal.code, { actor: who.actor, user: call.user, model: ask.model, requestId: call.requestId }, now);
            return { ok: false, refusal: this.#held(decided.refusal, now) };
          });
          const granted = isNew ? answer : this.#still(answer);
          if (!granted.ok) return granted;
          const standing = isNew ? granted.value.quota : room.standing(call.user ?? ANONYMOUS, who.keyId, now);
          return done({ ...granted.value, contentKey: room.contentKey, dpopNonce: room.proofs.nonce(now), standing });
        },
        (refusal, now) => this.#countRefused(call, ask, refusal, now),
      ),
    );
  }

  /** A repeat of a call whose lease was revoked since is refused: nothing signs that lease again. */
  #still(granted: Result<Granted>): Result<Granted> {
    const revoked = granted.ok && this.#room.leases.find(granted.value.leaseId)?.state === "revoked";
    return revoked ? refuse("lease-revoked", "The lease of this Idempotency-Key was revoked. Ask for a new one with a new key.") : granted;
  }

  read(call: Call, id: string): Result<Standing> {
    return this.#room.as<Standing>(call, (who, now) => {
      const lease = this.#find(who, id);
      return lease.ok ? done({ state: toLeaseState(lease.value), quota: this.#quotaFor(lease.value, now) }) : lease;
    });
  }

  report(call: Call, id: string, report: UsageReport): Result<Standing> {
    return this.#room.as<Standing>(call, (who, now) => {
      const lease = this.#find(who, id);
      if (!lease.ok) return lease;
      this.#room.armFlush(now);
      const state = this.#room.idempotency.once(call.idempotent ?? null, now, () => this.#room.leases.report(lease.value, report, who.actor, now, call.requestId));
      return state.ok ? done({ state: state.value, quota: this.#quotaFor(lease.value, now) }) : state;
    });
  }

  /** What the Worker refused by itself because this object had said so: it counts as if it had come here. */
  countWithheld({ presented, requestId }: Call, code: ProblemCode, refusals: number): Result<null> {
    const actor = actorOf(presented, this.#room.keys);
    if (actor) this.#room.transact(() => this.#countDenial(code, { actor, user: null, model: null, requestId }, Date.now(), refusals));
    return done(null);
  }

  /** Books leases whose time has passed, and writes the counts of denials that are due. */
  get chore(): Chore {
    return {
      name: "leases",
      nextAt: () => earliest(this.#room.leases.nextExpiry(), this.#room.denials.nextDue()),
      run: (now) =>
        this.#room.transact(() => {
          this.#room.leases.sweep(now);
          for (const { code, count } of this.#room.denials.takeDue(now)) this.#logDenial(code, count, NOBODY, now);
          this.#room.denials.noteDue(now);
        }),
    };
  }

  #decide(who: Identified, ask: LeaseCreate, call: Call, now: number): Result<Granted> {
    const room = this.#room;
    const { policy, profile } = readConfig(room.store);
    if (!profile.enabled) return refuse("tenant-disabled", `The tenant ${room.tenant} is disabled. Ask the operator to enable it.`);
    const signed = this.#users.admit(who.key, ask.user ?? null, ask.user_signature ?? null, now);
    if (!signed.ok) return signed;
    if (ask.offline && !policy.offline_leases) return refuse("forbidden", "Offline leases are not allowed for this tenant. Leave `offline` out, or have policy.offline_leases set.");
    const offer = room.shelf.rollouts.offer(ask.model, ask.revision ?? null);
    if (!offer) return refuse("model-not-available", `This tenant has no model ${ask.model}. GET /v1/models lists what it has.`);
    const { granted: model, next } = chooseRevision(offer, { tenant: room.tenant, model: ask.model, user: call.user, jkt: ask.dpop_jkt ?? null }, now);
    if (model.base && !room.loans.holds(model.base)) return refuse("model-not-available", `The model ${ask.model} stands on ${model.base.model} of the operator's catalogue, which is not granted to this tenant any more.`);
    if (model.controlFlow && !profile.allowControlFlow) return refuse("model-not-available", `The model ${ask.model} has control flow, which the operator does not allow for this tenant any more.`);
    const tokens = ask.tokens ?? 0;
    const prices = room.pricesOf(ask.model, now, model.base);
    const calls = ask.purpose === "download" ? 0 : (ask.calls ?? 1);
    const nanos = ask.purpose === "download" ? 0 : ceilingNanos(tokens, prices, calls);
    if (nanos === null) return refuse("invalid-request", `${tokens} tokens and ${calls} calls at this model's price are more than can be counted. Ask for fewer.`);
    const { user } = call;
    const metadata = labelled(call.metadata, profile);
    const whose = { user, key: who.key && (who.key.lineage ?? who.key.id) };
    const day = dayAt(now, policy.time_zone);
    const before = room.books.read(room.tenant, policy, now, user ?? ANONYMOUS, who.key);
    const decision = decideHold({ tokens, nanos, egressBytes: ask.purpose === "download" ? 1 : 0 }, before);
    if (!decision.ok) {
      const refusing = REFUSED_LIMIT[decision.refusal.code];
      room.observe(standsOf(before, day, whose).filter(({ name }) => name === refusing), now, true);
      return decision;
    }
    const lease = room.leases.open(
      {
        purpose: ask.purpose, keyId: who.actor, user, model: ask.model, revision: model.revision, manifestSha256: model.manifestSha256,
        prices, requestId: ask.request_id ?? call.requestId, metadata, day,
        tokens, nanos, calls, ttlSeconds: ask.ttl_s ?? (ask.offline ? MAX_OFFLINE_TTL_SECONDS : MAX_TTL_SECONDS), graceSeconds: ask.offline ? OFFLINE_GRACE_SECONDS : 0,
      },
      now,
    );
    const details = { lease_id: lease.id, revision: model.revision, purpose: ask.purpose, hold: tokens, calls: ask.calls, expires_at: lease.expires_at, offline: ask.offline, user_signed: signed.value, dpop_jkt: ask.dpop_jkt, metadata, ...callNamed(call.requestId, lease.request_id) };
    room.log(now, { action: "LEASE_GRANTED", actor: who.actor, user, model: ask.model, requestId: lease.request_id, details });
    const after = afterHold(before, decision.value, lease.expires_at);
    room.observe(standsOf(after, day, whose), now);
    return done({
      leaseId: lease.id as Granted["leaseId"],
      tenant: room.tenant,
      model: ask.model,
      revision: model.revision,
      manifestSha256: model.manifestSha256,
      purpose: ask.purpose,
      hold: tokens,
      calls,
      issuedAt: now,
      expiresAt: lease.expires_at,
      reportsUntil: lease.reports_until,
      next: next && { revision: next.due.revision, manifestSha256: next.due.manifestSha256, until: next.until },
      quota: room.books.quota(after, policy, room.shelf, now),
    });
  }

  #quotaFor({ user_id, key_id }: LeaseRow, now: number): Quota {
    return this.#room.standing(user_id ?? ANONYMOUS, key_id, now);
  }

  /** A lease reads and reports itself alone; a key, any lease of its tenant. */
  #find(who: Identified, id: string): Result<LeaseRow> {
    const lease = who.leaseId === null || who.leaseId === id ? this.#room.leases.find(id) : null;
    return lease ? done(lease) : refuse("not-found", "There is no such lease.");
  }

  /**
   * A credential that this tenant made and that is not let in (from another page, revoked, of another scope) is the
   * tenant's to know of. One that it never made is not: anybody could write into its audit.
   */
  #countRefused({ presented, user, requestId }: Call, { model }: LeaseCreate, refusal: Refusal, now: number): void {
    const actor = actorOf(presented, this.#room.keys);
    if (actor) this.#countDenial(refusal.code, { actor, user, model, requestId }, now);
  }

  /** In a flood, of a limit that only time lets in again, the refusal says how long it holds for this credential. */
  #held(refusal: Refusal, now: number): Refusal {
    if (refusal.resetsAt === undefined || !ENDED_BY_TIME.has(refusal.code) || !this.#floods.isFlood(refusal.code, now)) return refusal;
    return { ...refusal, holdUntil: Math.min(now + HELD_MS, refusal.resetsAt) };
  }

  #countDenial(code: ProblemCode, by: DeniedBy, now: number, refusals = 1): void {
    this.#floods.add(code, refusals, now);
    const count = this.#room.denials.count(code, now, refusals);
    if (count > 0) this.#logDenial(code, count, by, now);
    const due = this.#room.denials.nextDue();
    if (due !== null) this.#room.arm(due);
  }

  #logDenial(reason: string, count: number, by: DeniedBy, now: number): void {
    this.#room.log(now, { action: "LEASE_DENIED", ...by, details: { reason, count } });
  }
}

function earliest(...instants: (number | null)[]): number | null {
  const known = instants.filter((at) => at !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** Who is refused, where the tenant made that credential. */
function actorOf(presented: Presented, keys: KeyRing): string | null {
  switch (presented.kind) {
    case "key":
      return keys.byHash(presented.hash)?.id ?? null;
    case "session":
      return keys.byId(presented.keyId)?.id ?? null;
    case "lease":
      return presented.leaseId;
    case "operator":
      return null;
  }
}
