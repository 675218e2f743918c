/**
 * Rollout of revisions: to a share of the users, to all of them, and back. Each is one transaction, which the next lease
 * goes by; leases that were granted keep their revision and their prices.
 *
 * - Only what was committed is rolled out: everything that it is made of is stored and was checked.
 * - A revision with control flow is rolled out only while the operator allows it, as leases of it are granted only then;
 *   a rollback passes over it. One that stands on a base of the catalogue likewise, while that is granted.
 * - A canary costs what the model costs: its own prices come into force when it goes live.
 * - A model has one canary at a time; a revision that goes live ends it, but for what the catalogue gives: that waits.
 */
import type { RequestId } from "../../../schema/contract/ids.ts";
import type { Model } from "../../../schema/contract/models.ts";
import type { ModelRevision, RollbackCreate, RolloutCreate } from "../../../schema/contract/rollout.ts";
import { type Revision, toModel } from "../model-shelf.ts";
import { type Refused, type Result, done, refuse } from "../result.ts";
import type { Call, Room } from "../room.ts";
import { type Staged, toModelRevision } from "../rollout-book.ts";
import { ShelfLimits } from "../shelf-limits.ts";
import type { Publisher } from "./model-desk.ts";
import { baseRefusal, flowRefusal } from "./review-desk.ts";

const NO_REVISION = "This model has no such revision.";

export class RolloutDesk {
  readonly #room: Room;
  readonly #limits: ShelfLimits;
  readonly #served: (model: string, now: number) => void;

  /** `served`: told, in the transaction, of each model of which another revision is live. */
  constructor(room: Room, served: (model: string, now: number) => void) {
    this.#room = room;
    this.#served = served;
    this.#limits = new ShelfLimits(room);
  }

  list(call: Call, model: string, after: { createdAt: number; revision: string }, limit: number): Result<ModelRevision[]> {
    return this.#room.as(call, () => done(this.#room.shelf.rollouts.list(model, after, limit).map(toModelRevision)));
  }

  rollOut(call: Call, model: string, ask: RolloutCreate): Result<Model> {
    const room = this.#room;
    return room.as(call, (who, now) =>
      room.idempotency.once(call.idempotent ?? null, now, () => {
        const by = { actor: who.actor, requestId: call.requestId };
        return ask.stage === "live" ? this.goLive(by, model, ask.revision, now) : this.#toCanary(by, model, ask.revision, ask.percent, now);
      }),
    );
  }

  rollBack(call: Call, model: string, { from }: RollbackCreate): Result<Model> {
    const room = this.#room;
    const { rollouts } = room.shelf;
    return room.as(call, (who, now) =>
      room.idempotency.once(call.idempotent ?? null, now, () => {
        const live = room.shelf.live(model);
        if (!live) return refuse("model-not-available", `This tenant has no model ${model} that is live.`);
        const canary = rollouts.canaryOf(model);
        const newest = canary?.revision ?? live.revision;
        if (from !== undefined && from !== newest) return refuse("conflict", `${newest} is the newest revision that is given out, not ${from}. GET the model's revisions, and decide again.`);
        const to = canary ? live.revision : rollouts.before(model, (one) => this.#mayRun(one))?.revision ?? null;
        if (to === null) return this.#nothingBefore(model);
        const waiting = canary && rollouts.waitingOf(model);
        if (canary) rollouts.endCanary(model, now);
        else {
          rollouts.goBackTo(model, to, now);
          this.#served(model, now);
          room.prices.publish(model, to, (room.shelf.find(model, to) as Revision).facts.prices, live.facts.prices, who.actor, now);
        }
        room.log(now, { action: "MODEL_ROLLED_BACK", actor: who.actor, model, requestId: call.requestId, details: { from: newest, revision: to, ended_canary: canary !== null } });
        this.#endWaiting(model, waiting, call.requestId, now);
        return this.shown(model, now);
      }),
    );
  }

  /** Gives the revision to everybody. One that is live already stays as it is. */
  goLive(by: Publisher, model: string, revision: string, now: number): Result<Model> {
    const { rollouts } = this.#room.shelf;
    const waiting = rollouts.waitingOf(model);
    const served = this.#serve(by, model, revision, now);
    if (served.ok && rollouts.canaryOf(model) === null) this.#endWaiting(model, waiting, by.requestId, now);
    return served.ok ? this.shown(model, now) : served;
  }

  /**
   * The same for what the catalogue gives, which ends no canary: it waits for the canary's end. What was rolled back from
   * there, `withdrawn`, waits for nothing: it is replaced beside the canary, and is no canary either.
   */
  goLiveGranted(by: Publisher, model: string, revision: string, withdrawn: string | null, now: number): Result<Model> {
    const { rollouts } = this.#room.shelf;
    const [live, canary] = [this.#room.shelf.live(model), rollouts.canaryOf(model)];
    if (!canary || !live) return this.goLive(by, model, revision, now);
    const isWithdrawn = (one: string) => withdrawn !== null && this.#isGranted(model, one, withdrawn);
    if (isWithdrawn(canary.revision)) {
      rollouts.endCanary(model, now);
      return this.goLive(by, model, revision, now);
    }
    if (isWithdrawn(live.revision)) return this.#serve(by, model, revision, now, true);
    rollouts.wait(model, live.revision === revision ? null : revision);
    return this.shown(model, now);
  }

  #isGranted(model: string, revision: string, base: string): boolean {
    const facts = this.#room.shelf.find(model, revision)?.facts;
    return facts?.granted === true && facts.base?.revision === base;
  }

  /** What waited for the canary goes live, as the catalogue gave it; where the tenant's own is live, it stays beside that. */
  #endWaiting(model: string, waiting: string | null, requestId: RequestId, now: number): void {
    const { shelf } = this.#room;
    if (waiting === null) return;
    shelf.rollouts.wait(model, null);
    if (!shelf.live(model)?.facts.granted) return;
    const served = this.#serve({ actor: "operator", requestId }, model, waiting, now);
    if (!served.ok) console.warn(JSON.stringify({ level: "warn", message: "what the catalogue gave could not go live after a canary: it is kept", tenant: this.#room.tenant, model, revision: waiting, code: served.refusal.code }));
  }

  #serve(by: Publisher, model: string, revision: string, now: number, canaryStays = false): Result<Model> {
    const { shelf } = this.#room;
    const before = shelf.live(model);
    if (before?.revision === revision) return this.shown(model, now);
    const unready = this.#unready(model, revision) ?? this.#limits.refusesModel(model, now);
    if (unready) return unready;
    const { facts, manifestSha256 } = shelf.find(model, revision) as Revision;
    const canary = canaryStays ? null : shelf.rollouts.canaryOf(model);
    shelf.rollouts.toLive(model, revision, now, canaryStays);
    this.#served(model, now);
    this.#room.prices.publish(model, revision, facts.prices, before?.facts.prices ?? null, by.actor, now);
    const ended = canary && canary.revision !== revision ? { ended_canary: canary.revision } : {};
    const details = { revision, manifest_sha256: manifestSha256, size_bytes: facts.sizeBytes, prices: facts.prices, ...(before && { replaced: before.revision }), ...ended };
    this.#room.log(now, { action: "MODEL_PUBLISHED", actor: by.actor, model, requestId: by.requestId, details });
    this.#limits.observe(now);
    return this.shown(model, now);
  }

  /** The model as the API shows it. It is live. */
  shown(model: string, now: number): Result<Model> {
    const { shelf } = this.#room;
    return done(toModel(shelf.live(model) as Revision, this.#room.pricesOf(model, now), shelf.rollouts.canaryOf(model), shelf.rollouts.waitingOf(model)));
  }

  #toCanary(by: Publisher, model: string, revision: string, percent: number, now: number): Result<Model> {
    const { shelf } = this.#room;
    const unready = this.#unready(model, revision);
    if (unready) return unready;
    const live = shelf.live(model);
    if (!live) return refuse("conflict", "Nothing of this model is live for the other users. Roll a revision out to all of them first.");
    if (live.revision === revision) return refuse("conflict", "This revision is live: all users have it. Roll back first, or roll another one out.");
    const before = shelf.rollouts.canaryOf(model);
    if (before && before.revision !== revision) return refuse("conflict", `${before.revision} is the model's canary. Roll it back, or out to all, before another one.`);
    if (before?.percent !== percent) {
      shelf.rollouts.toCanary(model, revision, percent, now);
      this.#room.log(now, { action: "MODEL_ROLLED_OUT", actor: by.actor, model, requestId: by.requestId, details: { revision, stage: "canary", percent, percent_before: before?.percent ?? 0, live: live.revision } });
    }
    return this.shown(model, now);
  }

  #nothingBefore(model: string): Refused {
    const { shelf, store, loans } = this.#room;
    const passedOver = shelf.rollouts.before(model);
    const why = passedOver && (flowRefusal(passedOver.controlFlow, store) ?? baseRefusal(passedOver.base, loans));
    return why ?? refuse("conflict", "No revision was live before this one. Publish another, or delete the model.");
  }

  #mayRun({ controlFlow, base }: Staged): boolean {
    return flowRefusal(controlFlow, this.#room.store) === null && baseRefusal(base, this.#room.loans) === null;
  }

  #unready(model: string, revision: string): Refused | null {
    const found = this.#room.shelf.rollouts.find(model, revision);
    if (!found) return refuse("not-found", NO_REVISION);
    if (found.committedAt === null) return refuse("revision-incomplete", 'This revision is not committed. Commit it with {"stage": "draft"}, or commit it live.');
    return flowRefusal(found.controlFlow, this.#room.store) ?? baseRefusal(found.base, this.#room.loans);
  }
}
