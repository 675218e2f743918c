/**
 * Models of the tenant: publishing and what may be read of them. Bytes and manifests are in R2, which the Worker moves.
 *
 * - `deliver` decides a read of a blob and counts its bytes in the same transaction: no more than `egress_bytes_daily`
 *   are ever set out to be sent. What is counted stays counted, even where the client goes away in the middle. A lease
 *   may get a pass for what it reads next (egress-passes.ts).
 */
import type { RequestId } from "../../../schema/contract/ids.ts";
import type { Model, RevisionBegun } from "../../../schema/contract/models.ts";
import type { CommitStage, ModelRevision } from "../../../schema/contract/rollout.ts";
import type { Balance, Quota } from "../../../schema/contract/policy.ts";
import type { Built } from "../../models/manifest.ts";
import type { Pass, SpentPass } from "../../models/passes.ts";
import { type Conditions, type Delivery, bytesOf, decideDelivery } from "../../models/range.ts";
import { standOf } from "../../alerts/thresholds.ts";
import { TenantBlobs } from "../../tenants/blobs.ts";
import type { Identity, Presented } from "../../tenants/credential.ts";
import type { Beginnings } from "../beginnings.ts";
import { balanceOf } from "../books.ts";
import { dayAt } from "../calendar.ts";
import { readConfig } from "../config.ts";
import { type Window, decideEgress } from "../decide-hold.ts";
import type { Begun } from "../draft-book.ts";
import type { LeaseRow } from "../lease-row.ts";
import { type Revision, type RevisionFacts, toModel } from "../model-shelf.ts";
import { type Refused, type Result, done, refuse } from "../result.ts";
import { baseRefusal, flowRefusal } from "./review-desk.ts";
import { type Staged, toModelRevision } from "../rollout-book.ts";
import { ShelfLimits } from "../shelf-limits.ts";
import type { RolloutDesk } from "./rollout-desk.ts";
import { type Call, type Room, identityOf } from "../room.ts";

const LEASE_OVER = { settled: "lease-settled", expired: "lease-expired", revoked: "lease-revoked" } as const;

const NO_BLOB = "There is no such blob.";

/** How a blob is sent, and the day's egress after it. */
export interface Delivered {
  readonly identity: Identity;
  /** Of the whole blob. */
  readonly size: number;
  readonly delivery: Delivery;
  readonly egress: Balance;
  /** What the lease may be sent next without asking again. */
  readonly pass: Pass | null;
  /** Where its bytes are: the tenant's own, or the operator's catalogue, which lends them. */
  readonly from: "own" | "catalog";
}

/** `admission` names the making of the draft, where it is open. */
interface AdmittedRevision {
  readonly identity: Identity;
  readonly admission: string | null;
}

interface Commit {
  readonly model: string;
  readonly revision: string;
  readonly stage: CommitStage;
  readonly reviewed: boolean;
}

/** Who a revision is published by, for the audit. */
export interface Publisher {
  readonly actor: string;
  readonly requestId: RequestId;
}

export class ModelDesk {
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

  /** Whether this revision may be begun, and where it may, it is noted, before its manifest is stored. */
  admitRevision(call: Call, revision: Begun & Pick<RevisionFacts, "controlFlow">): Result<AdmittedRevision> {
    const room = this.#room;
    return room.as<AdmittedRevision>(call, (who, now) => {
      const opened = room.idempotency.refuses(call.idempotent ?? null, now) ?? flowRefusal(revision.controlFlow === true, room.store) ?? this.#beginnings.open(revision, now);
      return opened.ok ? done({ identity: identityOf(who), admission: opened.value }) : opened;
    });
  }

  /** The manifest is stored. `sizes`: every chunk of it with the size it states. What is not missing then stays while the draft does. */
  begin(call: Call, revision: Omit<Revision, "publishedAt">, sizes: Readonly<Record<string, number>>, admission: string | null): Result<RevisionBegun> {
    const { shelf, idempotency } = this.#room;
    return this.#room.as(call, (_who, now) =>
      idempotency.each(call.idempotent ?? null, now, () => {
        const refused = this.#begin(revision, sizes, admission, now);
        return refused ?? done({ model: revision.model, revision: revision.revision, missing: shelf.missing(revision.model, revision.revision) });
      }),
      (_refusal, now) => this.#beginnings.disown(revision, now),
    );
  }

  #begin(revision: Omit<Revision, "publishedAt">, sizes: Readonly<Record<string, number>>, admission: string | null, now: number): Refused | null {
    const refused = this.#beginnings.stillOpen(revision, admission, now);
    if (refused) return refused;
    this.#room.shelf.begin(revision, sizes, now);
    this.#limits.observe(now);
    return null;
  }

  /** `reviewed`: its models were inspected (review-desk.ts). What was not all here then is not committed unseen. */
  commit(call: Call, model: string, revision: string, stage: CommitStage, reviewed: boolean): Result<Model | ModelRevision> {
    return this.#room.as(call, (who, now) =>
      this.#room.idempotency.once(call.idempotent ?? null, now, () => this.#commit({ actor: who.actor, requestId: call.requestId }, { model, revision, stage, reviewed }, now)),
    );
  }

  /**
   * Commits a revision whose blobs are all stored, and does `also` in the same transaction. `check` is asked in every
   * transaction of it, and throws where it is not wanted any more.
   */
  async publish(by: Publisher, { revision, text, sizes }: Built, stage: CommitStage, check: () => void, also: (now: number) => void): Promise<Result<unknown>> {
    const room = this.#room;
    const opened = room.transact(() => {
      check();
      return this.#beginnings.open(revision, Date.now());
    });
    if (!opened.ok) return opened;
    try {
      await TenantBlobs.for(room.self, room.env).putManifest(revision.model, revision.revision, text);
      return room.transact(() => {
        check();
        const now = Date.now();
        const committed = this.#begin(revision, Object.fromEntries(sizes), opened.value, now) ?? this.#commit(by, { model: revision.model, revision: revision.revision, stage, reviewed: true }, now);
        if (committed.ok) also(now);
        return committed;
      });
    } catch (cause) {
      room.transact(() => this.#beginnings.disown(revision, Date.now()));
      throw cause;
    }
  }

  /** `stage` draft: the revision is kept as it is, whatever stage it has. */
  #commit(by: Publisher, { model, revision, stage, reviewed }: Commit, now: number): Result<Model | ModelRevision> {
    const { shelf, loans } = this.#room;
    const draft = shelf.find(model, revision);
    if (!draft) return refuse("not-found", "This model has no such revision.");
    const groundless = baseRefusal(draft.facts.base ?? null, loans);
    if (groundless) return groundless;
    const unfit = shelf.unfit(model, revision);
    const missing = unfit.filter(({ stored }) => stored === null);
    if (missing[0]) return refuse("revision-incomplete", `${missing.length} blobs are missing, the first is ${missing[0].sha256}. PUT them, then commit again.`);
    if (unfit[0]) {
      const { sha256, size, stored } = unfit[0];
      return refuse("revision-incomplete", `The manifest states ${size} bytes for the blob ${sha256}, and it has ${stored}. Begin a revision with the right sizes.`);
    }
    const refused = stage === "live" ? (this.#limits.refusesModel(model, now) ?? flowRefusal(draft.facts.controlFlow === true, this.#room.store)) : null;
    if (refused) return refused;
    const isNew = !this.#beginnings.isCommitted(model, revision);
    if (isNew && !reviewed) return refuse("revision-incomplete", "Blobs of it were still on their way when it was looked at. Commit it again.");
    shelf.rollouts.commit(model, revision, now);
    shelf.drafts.close({ model, revision });
    if (stage === "live") return this.#rollouts.goLive(by, model, revision, now);
    if (isNew) this.#room.log(now, { action: "REVISION_COMMITTED", actor: by.actor, model, requestId: by.requestId, details: { revision, manifest_sha256: draft.manifestSha256, size_bytes: draft.facts.sizeBytes } });
    return done(toModelRevision(shelf.rollouts.find(model, revision) as Staged));
  }

  list(call: Call, after: string, limit: number): Result<{ models: Model[]; quota: Quota }> {
    const { shelf } = this.#room;
    return this.#room.as<{ models: Model[]; quota: Quota }>(call, (who, now) => {
      const pinned = who.leaseId === null ? null : this.#pinned(who.leaseId);
      if (pinned && !pinned.ok) return pinned;
      const models = shelf.list(after, limit).map((revision) => toModel(revision, this.#room.pricesOf(revision.model, now, revision.facts.base ?? null), shelf.rollouts.canaryOf(revision.model), shelf.rollouts.waitingOf(revision.model)));
      return done({ models, quota: this.#room.quotaOf(call, who, now) });
    });
  }

  /**
   * Decides what a request for a blob is answered with, and counts the bytes that it sends. A lease reads the chunks of
   * the revision that it pins, a secret key any blob of the tenant. `spent`: the lease's pass before, which is over.
   */
  deliver(call: Call, digest: string, conditions: Conditions, spent: SpentPass | null): Result<Delivered> {
    if (spent) this.settlePass(spent);
    const { shelf, loans, store, books, tenant } = this.#room;
    return this.#room.as<Delivered>(call, (who, now) => {
      const pinned = who.leaseId === null ? null : this.#pinned(who.leaseId);
      if (pinned && !pinned.ok) return pinned;
      const from = shelf.sizeOf(digest) === null ? "catalog" : "own";
      const there = from === "own" ? shelf.sizeOf(digest) : loans.sizeOf(digest);
      const size = pinned ? shelf.chunkSize(pinned.value.model, pinned.value.revision, digest) : there;
      if (size === null || there === null) return refuse("not-found", NO_BLOB);
      const { policy } = readConfig(store);
      const delivery = decideDelivery(conditions, `"${digest}"`, size);
      const bytes = conditions.method === "HEAD" ? 0 : bytesOf(delivery, size);
      const day = dayAt(now, policy.time_zone);
      const before = books.egress(policy, now);
      const allowed = decideEgress(tenant, bytes, before);
      if (bytes > 0 && allowed.ok) books.postEgress(day, bytes);
      const after = bytes > 0 && allowed.ok ? books.egress(policy, now) : before;
      this.#room.observe(standOf("egress_bytes_daily", after, day), now, !allowed.ok);
      if (!allowed.ok) return allowed;
      const identity = identityOf(who);
      const pass = bytes > 0 && pinned ? this.#pass(call.presented, pinned.value, identity, { day, egress: after }, now) : null;
      return done({ identity, size, delivery, egress: pass?.egress ?? balanceOf(after), pass, from });
    });
  }

  /** For a lease that is bound to a key, with what is needed to take its proofs. */
  #pass(presented: Presented, { model, revision }: LeaseRow, identity: Identity, { day, egress }: { day: string; egress: Window }, now: number): Pass | null {
    const { shelf, loans, passes, proofs, books, store } = this.#room;
    if (presented.kind !== "lease") return null;
    const lease = presented.leaseId;
    const drawn = presented.proof && !proofs.mayLend(lease, now) ? null : passes.draw(day, shelf.find(model, revision)?.facts.sizeBytes ?? 0, egress, now);
    if (!drawn) return null;
    const after = balanceOf(books.egress(readConfig(store).policy, now));
    return { ...drawn, proofs: presented.proof ? proofs.lend(lease, drawn, now) : null, identity, egress: after, chunks: shelf.chunksOf(model, revision), lent: loans.chunksFor(model, revision) };
  }

  /** What was used of a pass. It is no credential's to ask: the Worker settles what it drew. */
  settlePass({ id, lease, used, proofs }: SpentPass): void {
    this.#room.transact(() => this.#room.passes.settle(id, used));
    this.#room.proofs.giveBack(lease, id, proofs);
  }

  /** The revision that the credential may read: the one its lease pins while it is active, else the live one of `model`. */
  open(call: Call, model: string): Result<{ identity: Identity; revision: Revision; quota: Quota }> {
    const { shelf, loans } = this.#room;
    return this.#room.as<{ identity: Identity; revision: Revision; quota: Quota }>(call, (who, now) => {
      const pinned = who.leaseId === null ? null : this.#pinned(who.leaseId);
      if (pinned && !pinned.ok) return pinned;
      if (pinned && pinned.value.model !== model) return refuse("not-found", "There is no such model.");
      const revision = pinned ? shelf.find(model, pinned.value.revision) : shelf.live(model);
      if (!revision || (revision.facts.base && !loans.holds(revision.facts.base))) return refuse("model-not-available", `This tenant has no model ${model}.`);
      return done({ identity: identityOf(who), revision, quota: this.#room.quotaOf(call, who, now) });
    });
  }

  #pinned(leaseId: string): Result<LeaseRow> {
    const lease = this.#room.leases.find(leaseId);
    if (!lease) return refuse("not-found", "There is no such lease.");
    return lease.state === "active" ? done(lease) : refuse(LEASE_OVER[lease.state as keyof typeof LEASE_OVER], "This lease is over. Ask for a new one.");
  }
}
