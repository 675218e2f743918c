/** Models of the tenant: publishing and what may be read of them. Bytes and manifests are in R2, which the Worker moves. */
import type { Sha256 } from "../../../schema/contract/ids.ts";
import type { Model } from "../../../schema/contract/models.ts";
import type { Identity } from "../../tenants/credential.ts";
import { readConfig } from "../config.ts";
import { type Revision, toModel } from "../model-shelf.ts";
import { type Result, done, refuse } from "../result.ts";
import { type Call, type Room, identityOf } from "../room.ts";

const LEASE_OVER = { settled: "lease-settled", expired: "lease-expired", revoked: "lease-revoked" } as const;

export class ModelDesk {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  begin(call: Call, revision: Omit<Revision, "publishedAt">, digests: readonly string[]): Result<{ missing: Sha256[] }> {
    const { shelf } = this.#room;
    return this.#room.as(call, (_who, now) => {
      const full = this.#quotaRefusal(revision.model);
      if (full) return full;
      shelf.begin(revision, now);
      return done({ missing: shelf.missing(digests) });
    });
  }

  /** Whether a blob of this size may be stored; `known`: it is already. */
  admitBlob(call: Call, digest: string, size: number): Result<{ identity: Identity; known: boolean }> {
    const { shelf, store } = this.#room;
    return this.#room.as<{ identity: Identity; known: boolean }>(call, (who) => {
      if (shelf.sizeOf(digest) !== null) return done({ identity: identityOf(who), known: true });
      const limit = readConfig(store).policy.storage_bytes;
      const stored = shelf.storedBytes();
      if (limit !== null && stored + size > limit) {
        const detail = `${stored} of ${limit} bytes are stored and this blob has ${size}. Delete models, or raise the limit.`;
        return refuse("storage-quota-exceeded", detail, { limit, remaining: Math.max(0, limit - stored) });
      }
      return done({ identity: identityOf(who), known: false });
    });
  }

  recordBlob(call: Call, digest: string, size: number): Result<null> {
    return this.#room.as(call, (_who, now) => {
      this.#room.shelf.record(digest, size, now);
      return done(null);
    });
  }

  /** `sizes`: every chunk of the revision's manifest with the size it states. */
  commit(call: Call, model: string, revision: string, sizes: Readonly<Record<string, number>>): Result<Model> {
    const { shelf } = this.#room;
    return this.#room.as(call, (who, now) => {
      const draft = shelf.find(model, revision);
      if (!draft) return refuse("not-found", "This model has no such revision.");
      const missing = shelf.missing(Object.keys(sizes));
      if (missing.length > 0) return refuse("revision-incomplete", `${missing.length} blobs are missing, the first is ${missing[0]}. PUT them, then commit again.`);
      const wrong = Object.entries(sizes).find(([digest, size]) => shelf.sizeOf(digest) !== size);
      if (wrong) {
        return refuse("revision-incomplete", `The manifest states ${wrong[1]} bytes for the blob ${wrong[0]}, and it has ${shelf.sizeOf(wrong[0])}. Begin a revision with the right sizes.`);
      }
      const full = this.#quotaRefusal(model);
      if (full) return full;
      if (shelf.live(model)?.revision !== revision) {
        shelf.publish(model, revision, now);
        const details = { revision, manifest_sha256: draft.manifestSha256, size_bytes: draft.facts.sizeBytes, prices: draft.facts.prices };
        this.#room.log(now, { action: "MODEL_PUBLISHED", actor: who.actor, model, requestId: call.requestId, details });
      }
      return done(toModel(shelf.live(model) as Revision));
    });
  }

  list(call: Call, after: string, limit: number): Result<Model[]> {
    return this.#room.as(call, () => done(this.#room.shelf.list(after, limit).map(toModel)));
  }

  /** A stored blob of the tenant, for a secret key. */
  blobSize(call: Call, digest: string): Result<{ identity: Identity; size: number }> {
    return this.#room.as(call, (who) => {
      const size = this.#room.shelf.sizeOf(digest);
      return size === null ? refuse("not-found", "There is no such blob.") : done({ identity: identityOf(who), size });
    });
  }

  /** The revision that the credential may read: the one its lease pins while it is active, else the live one of `model`. */
  open(call: Call, model: string | null): Result<{ identity: Identity; revision: Revision }> {
    const { shelf, leases } = this.#room;
    return this.#room.as<{ identity: Identity; revision: Revision }>(call, (who) => {
      const lease = who.leaseId === null ? null : leases.find(who.leaseId);
      if (who.leaseId !== null && !lease) return refuse("not-found", "There is no such lease.");
      if (lease && lease.state !== "active") return refuse(LEASE_OVER[lease.state as keyof typeof LEASE_OVER], "This lease is over. Ask for a new one.");
      if (lease && model !== null && lease.model !== model) return refuse("not-found", "There is no such model.");
      const revision = lease ? shelf.find(lease.model, lease.revision) : model === null ? null : shelf.live(model);
      return revision ? done({ identity: identityOf(who), revision }) : refuse("model-not-available", `This tenant has no model ${model ?? lease?.model}.`);
    });
  }

  /** A model that is not live yet counts against `model_quota`. */
  #quotaRefusal(model: string): ReturnType<typeof refuse> | null {
    const { shelf, store } = this.#room;
    const limit = readConfig(store).policy.model_quota;
    if (limit === null || shelf.live(model) !== null || shelf.count() < limit) return null;
    return refuse("model-quota-exceeded", `The tenant may have ${limit} models and has them. Delete one, or raise model_quota.`, { limit, remaining: 0 });
  }
}
