/**
 * Deletes models and revisions. What decides (rows, leases, imports, the audit) goes in one transaction; the bytes in R2
 * follow, at once where R2 answers, and with the alarm where it does not.
 *
 * - Blobs that another revision or draft names, or an import under way, stay.
 * - Prices and what was charged stay: they are the records'.
 */
import { toTimestamp } from "../../../schema/contract/amounts.ts";
import type { ModelId, RevisionId } from "../../../schema/contract/ids.ts";
import type { ModelDeleted, RevisionDeleted } from "../../../schema/contract/rollout.ts";
import { within } from "../../within.ts";
import type { Collector } from "../collector.ts";
import type { Condemned } from "../collection-book.ts";
import type { LeaseRow } from "../lease-row.ts";
import { type Result, done, refuse } from "../result.ts";
import type { Call, Room } from "../room.ts";
import { ShelfLimits } from "../shelf-limits.ts";
import type { ImportDesk } from "./import-desk.ts";

/** How long an answer waits for R2. */
const PATIENCE_MS = 5_000;

export class RemovalDesk {
  readonly #room: Room;
  readonly #imports: ImportDesk;
  readonly #collector: Collector;
  readonly #limits: ShelfLimits;

  constructor(room: Room, imports: ImportDesk, collector: Collector) {
    this.#room = room;
    this.#imports = imports;
    this.#collector = collector;
    this.#limits = new ShelfLimits(room);
  }

  async deleteModel(call: Call, model: ModelId): Promise<Result<ModelDeleted>> {
    const room = this.#room;
    const { removals } = room.shelf;
    const deleted = room.as<ModelDeleted>(call, (who, now) => {
      const revisions = removals.revisionsOf(model);
      const cancelled = this.#imports.cancelOf(model, who.actor, call.requestId, now);
      if (revisions.length === 0 && cancelled === 0) {
        const before = removals.recall(model);
        return before ? done(before) : refuse("not-found", "This tenant has no such model.");
      }
      const gone = this.#drop(model, revisions, now);
      removals.unlist(model);
      const revoked = this.#revoke(call, who.actor, now, (lease) => lease.model === model);
      const answer: ModelDeleted = { id: model, revisions: revisions.length, blobs: gone.blobs, freed_bytes: gone.bytes, revoked_leases: revoked, cancelled_imports: cancelled, deleted_at: toTimestamp(now) };
      removals.remember(answer, now);
      const { id: _, deleted_at: __, ...details } = answer;
      room.log(now, { action: "MODEL_DELETED", actor: who.actor, model, requestId: call.requestId, details });
      this.#limits.observe(now);
      room.arm(now);
      return done(answer);
    });
    if (deleted.ok) await this.#collect();
    return deleted;
  }

  async deleteRevision(call: Call, model: ModelId, revision: RevisionId): Promise<Result<RevisionDeleted>> {
    const room = this.#room;
    const deleted = room.as<RevisionDeleted>(call, (who, now) => {
      const found = room.shelf.rollouts.find(model, revision);
      if (!found) return refuse("not-found", "This model has no such revision.");
      if (found.stage === "live" || found.stage === "canary") return refuse("conflict", found.stage === "live" ? "This revision is live. Roll another one out first, or delete the model." : "This revision is the model's canary. Roll it back first.");
      const gone = this.#drop(model, [revision], now);
      const revoked = this.#revoke(call, who.actor, now, (lease) => lease.model === model && lease.revision === revision);
      const counts = { blobs: gone.blobs, freed_bytes: gone.bytes, revoked_leases: revoked };
      room.log(now, { action: "REVISION_DELETED", actor: who.actor, model, requestId: call.requestId, details: { revision, stage: found.stage, ...counts } });
      this.#limits.observe(now);
      room.arm(now);
      return done({ model, revision, ...counts });
    });
    if (deleted.ok) await this.#collect();
    return deleted;
  }

  #drop(model: ModelId, revisions: readonly RevisionId[], now: number): Condemned {
    const { shelf } = this.#room;
    const condemned = shelf.collections.release({ model, revisions }, now);
    for (const revision of revisions) shelf.drafts.drop({ model, revision });
    return condemned;
  }

  #revoke(call: Call, actor: string, now: number, which: (lease: LeaseRow) => boolean): number {
    return this.#room.leases.revokeWhere(which, now, actor, call.requestId);
  }

  /** The answer waits for R2 for a while, so that what was deleted is gone when it comes. */
  async #collect(): Promise<void> {
    try {
      await within(PATIENCE_MS, "the deletion of blobs", this.#collector.collect());
    } catch (cause) {
      console.warn(JSON.stringify({ level: "warn", message: "a deletion goes on behind its answer", tenant: this.#room.tenant, error: String(cause) }));
    }
  }
}
