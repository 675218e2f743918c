/**
 * Uploads of blobs: a place is held, the Worker puts the bytes into R2, the blob is recorded.
 *
 * - `admit` holds an upload's bytes of `storage_bytes` until `record`: two uploads at once never exceed it.
 * - What is recorded is in R2: nothing is put under a name whose deletion is under way, and an upload that was given up,
 *   or whose blob was taken away since, is not recorded.
 */
import type { Sha256 } from "../../../schema/contract/ids.ts";
import { TenantBlobs } from "../../tenants/blobs.ts";
import type { Identity } from "../../tenants/credential.ts";
import { GRACE_MS } from "../collection-book.ts";
import type { Collector } from "../collector.ts";
import { type Result, done, refuse } from "../result.ts";
import { type Call, type Room, identityOf } from "../room.ts";
import { ShelfLimits } from "../shelf-limits.ts";

interface AdmittedBlob {
  readonly identity: Identity;
  readonly admission: string | null;
}

export class UploadDesk {
  readonly #room: Room;
  readonly #collector: Collector;
  readonly #limits: ShelfLimits;

  constructor(room: Room, collector: Collector) {
    this.#room = room;
    this.#collector = collector;
    this.#limits = new ShelfLimits(room);
  }

  /** Whether a blob of this size may be stored, and where it may, its place is held; `admission` null: it is stored already. */
  async admit(call: Call, digest: Sha256, size: number): Promise<Result<AdmittedBlob>> {
    await this.#collector.settled(digest);
    return this.#room.as<AdmittedBlob>(call, (who, now) => {
      const admitted = this.#hold(digest, size, now);
      return admitted.ok ? done({ identity: identityOf(who), admission: admitted.value }) : admitted;
    });
  }

  record(call: Call, digest: string, size: number, admission: string): Result<null> {
    return this.#room.as(call, (_who, now) => this.#note(digest, size, admission, now));
  }

  /** Gives the name of the upload; null where there is none to do. */
  #hold(digest: string, size: number, now: number): Result<string | null> {
    const { shelf } = this.#room;
    if (shelf.sizeOf(digest) !== null) {
      shelf.touch(digest, now);
      return done(null);
    }
    const full = this.#limits.refusesBlob(digest, size, now);
    if (full) return full;
    if (shelf.collections.isGoing(digest)) return refuse("unavailable", "This blob was in use by nobody and is being deleted. PUT it again in a moment.");
    return done(shelf.holdUpload(digest, size, now));
  }

  #note(digest: string, size: number, admission: string, now: number): Result<null> {
    const { shelf } = this.#room;
    const full = this.#limits.refusesBlob(digest, size, now);
    if (full) return full;
    if (shelf.sizeOf(digest) === null && !shelf.holdsUpload(digest, admission)) return refuse("unavailable", "This upload took too long, and was given up. PUT the blob again.");
    shelf.record(digest, size, now);
    this.#room.arm(now + GRACE_MS);
    this.#limits.observe(now);
    return done(null);
  }

  /** Stores a blob for the object itself: an import. `note` is done in the transaction from which on it is stored. */
  async store(digest: Sha256, bytes: Uint8Array<ArrayBuffer>, note: (now: number) => void): Promise<Result<null>> {
    const room = this.#room;
    await this.#collector.settled(digest);
    const admitted = room.transact(() => {
      const now = Date.now();
      const admission = this.#hold(digest, bytes.byteLength, now);
      if (admission.ok && admission.value === null) note(now);
      return admission;
    });
    if (!admitted.ok) return admitted;
    const admission = admitted.value;
    if (admission === null) return done(null);
    await TenantBlobs.for(room.self, room.env).putBlob(digest, bytes);
    return room.transact(() => {
      const now = Date.now();
      const stored = this.#note(digest, bytes.byteLength, admission, now);
      if (stored.ok) note(now);
      return stored;
    });
  }
}
