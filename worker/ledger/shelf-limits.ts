/**
 * `storage_bytes`, `model_quota` and how many revisions there may be: what they refuse, and what the tenant is told of them.
 * Each is asked inside the object's transaction.
 */
import type { AlertedLimit } from "../../schema/contract/webhooks.ts";
import { standOf } from "../alerts/thresholds.ts";
import { readConfig } from "./config.ts";
import type { Begun } from "./draft-book.ts";
import { type Refused, refuse } from "./result.ts";
import type { Room } from "./room.ts";

/** Revisions with a manifest in R2: committed, open, and on their way out. A draft that is dropped gives its place back. */
export const MAX_REVISIONS_OF_MODEL = 1_000;
export const MAX_REVISIONS = 10_000;

export class ShelfLimits {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  /** What is stored has changed, or `refused` has just refused more of it. */
  observe(now: number, refused: AlertedLimit | null = null): void {
    const { shelf, store } = this.#room;
    const { policy } = readConfig(store);
    const storage = standOf("storage_bytes", { limit: policy.storage_bytes, ...shelf.storage(now), resetsAt: null }, "standing");
    const models = standOf("model_quota", { limit: policy.model_quota, ...shelf.models(), resetsAt: null }, "standing");
    this.#room.observe(storage, now, refused === "storage_bytes");
    this.#room.observe(models, now, refused === "model_quota");
  }

  /** Asked of an upload that holds its place already, there is none. */
  refusesBlob(digest: string, size: number, now: number): Refused | null {
    const { shelf } = this.#room;
    if (shelf.sizeOf(digest) !== null || shelf.isUploading(digest, now)) return null;
    return this.#refusesBytes("blob", size, now);
  }

  /** `size`: what it is about to store, as far as the hub says. */
  refusesImport(size: number, now: number): Refused | null {
    return size > 0 ? this.#refusesBytes("import", size, now) : null;
  }

  /** Asked of a revision that has a manifest already, or one on its way out, there is none. */
  refusesManifest({ model, revision, manifestBytes }: Begun, now: number): Refused | null {
    const { manifests } = this.#room.shelf;
    if (manifests.isKnown(model, revision)) return null;
    const { ofModel, ofTenant } = manifests.counts(model);
    if (ofModel >= MAX_REVISIONS_OF_MODEL) return refuse("too-many-revisions", `A model may have ${MAX_REVISIONS_OF_MODEL} revisions and ${model} has them. Delete some that are not used any more.`, { limit: MAX_REVISIONS_OF_MODEL, remaining: 0 });
    if (ofTenant >= MAX_REVISIONS) return refuse("too-many-revisions", `A tenant may have ${MAX_REVISIONS} revisions and has them. Delete models or revisions that are not used any more.`, { limit: MAX_REVISIONS, remaining: 0 });
    return this.#refusesBytes("manifest", manifestBytes, now);
  }

  #refusesBytes(what: "blob" | "manifest" | "import", size: number, now: number): Refused | null {
    const { shelf, store } = this.#room;
    const limit = readConfig(store).policy.storage_bytes;
    if (limit === null) return null;
    const { held, posted } = shelf.storage(now);
    if (held + posted + size <= limit) return null;
    this.observe(now, "storage_bytes");
    const detail = `${posted} of ${limit} bytes are stored, ${held} are on their way, and this ${what} has ${size}. Delete models or revisions that are not used any more, or ask for a higher storage_bytes.`;
    return refuse("storage-quota-exceeded", detail, { limit, remaining: Math.max(0, limit - held - posted) });
  }

  /** A model that is not live yet counts against `model_quota`, beside the live ones and `drafted` more. */
  refusesModel(model: string, now: number, drafted = 0): Refused | null {
    const { shelf, store } = this.#room;
    const limit = readConfig(store).policy.model_quota;
    if (limit === null || shelf.live(model) !== null || shelf.count() + drafted < limit) return null;
    this.observe(now, "model_quota");
    return refuse("model-quota-exceeded", `The tenant may have ${limit} models and has them${drafted > 0 ? `, ${drafted} of them as drafts` : ""}. Publish a revision of one of them, or ask for a higher model_quota${drafted > 0 ? "; a draft that gets no blob for a day is dropped" : ""}.`, { limit, remaining: 0 });
  }
}
