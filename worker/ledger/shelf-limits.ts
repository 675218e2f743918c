/**
 * `storage_bytes` and `model_quota`: what they refuse, and what the tenant is told of them. Each is asked inside the
 * object's transaction.
 */
import type { AlertedLimit } from "../../schema/contract/webhooks.ts";
import { standOf } from "../alerts/thresholds.ts";
import { readConfig } from "./config.ts";
import { refuse } from "./result.ts";
import type { Room } from "./room.ts";

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
  refusesBlob(digest: string, size: number, now: number): ReturnType<typeof refuse> | null {
    const { shelf, store } = this.#room;
    const limit = readConfig(store).policy.storage_bytes;
    if (limit === null || shelf.sizeOf(digest) !== null || shelf.isUploading(digest, now)) return null;
    const { held, posted } = shelf.storage(now);
    if (held + posted + size <= limit) return null;
    this.observe(now, "storage_bytes");
    const detail = `${posted} of ${limit} bytes are stored, ${held} are on their way, and this blob has ${size}. Delete models or revisions that are not used any more, or ask for a higher storage_bytes.`;
    return refuse("storage-quota-exceeded", detail, { limit, remaining: Math.max(0, limit - held - posted) });
  }

  /** A model that is not live yet counts against `model_quota`, beside the live ones and `drafted` more. */
  refusesModel(model: string, now: number, drafted = 0): ReturnType<typeof refuse> | null {
    const { shelf, store } = this.#room;
    const limit = readConfig(store).policy.model_quota;
    if (limit === null || shelf.live(model) !== null || shelf.count() + drafted < limit) return null;
    this.observe(now, "model_quota");
    return refuse("model-quota-exceeded", `The tenant may have ${limit} models and has them${drafted > 0 ? `, ${drafted} of them as drafts` : ""}. Publish a revision of one of them, or ask for a higher model_quota${drafted > 0 ? "; a draft that gets no blob for a day is dropped" : ""}.`, { limit, remaining: 0 });
  }
}
