/**
 * Takes out of R2 what nothing refers to any more: blobs, manifests of drafts and revisions that were dropped, and those
 * that no row knows of.
 *
 * - State first, R2 second, state again: what is on its way out is noted before its deletion is sent, and forgotten
 *   after it is confirmed. Whatever fails or dies in between is taken up again by the alarm.
 * - A piece is noted just before it is sent, with the time: by the time at which another run may take it, its deletion has
 *   been done or never will be, and the run that sent it first confirms nothing of it any more.
 * - Two runs at once share the work: each takes what no other has taken.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import { TenantBlobs } from "../tenants/blobs.ts";
import type { Chore, Room } from "./room.ts";
import { ShelfLimits } from "./shelf-limits.ts";

/** R2 deletes as many at once. */
const PIECE = 1_000;

export class Collector {
  readonly #room: Room;
  readonly #limits: ShelfLimits;
  /** Deletions that were sent and not answered, by this object in this life. */
  readonly #sent = new Map<Sha256, Promise<void>>();

  constructor(room: Room) {
    this.#room = room;
    this.#limits = new ShelfLimits(room);
  }

  get chores(): readonly Chore[] {
    const { drafts, collections, manifests } = this.#room.shelf;
    return [
      { name: "drafts", aside: true, nextAt: () => drafts.nextDrop(), run: () => this.#manifests() },
      { name: "stray manifests", aside: true, nextAt: () => manifests.dueAt(), run: () => this.#strays() },
      { name: "collection", aside: true, nextAt: () => collections.nextAt(), run: () => this.#blobs() },
    ];
  }

  /** Everything that may go now. What fails is told and left to the alarm. */
  async collect(): Promise<void> {
    for (const { status, reason } of (await Promise.allSettled([this.#manifests(), this.#blobs()])) as Partial<PromiseRejectedResult>[]) {
      if (status === "rejected") console.error(JSON.stringify({ level: "error", message: "a collection failed; the alarm tries it again", tenant: this.#room.tenant, error: String(reason) }));
    }
  }

  /** After the deletion of this blob that is under way, if one is. */
  async settled(digest: Sha256): Promise<void> {
    await this.#sent.get(digest)?.catch(() => undefined); // it is told where it was sent
  }

  async #manifests(): Promise<void> {
    const room = this.#room;
    const { drafts, collections, manifests } = room.shelf;
    for (let now = Date.now(); (drafts.nextDrop() ?? Number.POSITIVE_INFINITY) <= now; now = Date.now()) {
      const sent = room.transact(() => {
        if (drafts.dropOld(now) > 0) collections.expect(now);
        return drafts.takeDropping(now, PIECE);
      });
      await TenantBlobs.for(room.self, room.env).deleteManifests(sent.drafts);
      room.transact(() => {
        const after = Date.now();
        drafts.gone(sent);
        manifests.expect(after);
        const dueAt = manifests.dueAt();
        if (dueAt !== null) room.arm(dueAt);
        this.#limits.observe(after);
      });
    }
  }

  /** Manifests that no row knows of are given up, and go as all others do. */
  async #strays(): Promise<void> {
    const room = this.#room;
    const { manifests } = room.shelf;
    const begun = Date.now();
    if (begun < (manifests.dueAt() ?? Number.POSITIVE_INFINITY)) return;
    room.transact(() => manifests.beginListing(begun));
    for await (const listed of TenantBlobs.for(room.self, room.env).manifests()) {
      const strays = room.transact(() => manifests.take(listed, Date.now()));
      if (strays > 0) console.warn(JSON.stringify({ level: "warn", message: "manifests that no revision names are deleted", tenant: room.tenant, manifests: strays }));
    }
    room.transact(() => manifests.endListing(Date.now()));
    await this.#manifests();
  }

  async #blobs(): Promise<void> {
    const { collections } = this.#room.shelf;
    const begun = Date.now();
    if (begun >= (collections.sweepAt() ?? Number.POSITIVE_INFINITY)) this.#room.transact(() => this.#sweep(begun));
    for (let now = begun; (collections.nextAt() ?? Number.POSITIVE_INFINITY) <= now; now = Date.now()) {
      const digests = this.#room.transact(() => collections.take(now, PIECE));
      if (digests.length === 0) return;
      await this.#delete(digests);
      this.#room.transact(() => {
        collections.gone(digests, now);
        this.#limits.observe(Date.now());
      });
    }
  }

  #sweep(now: number): void {
    const { blobs, bytes } = this.#room.shelf.collections.sweep(now);
    if (blobs === 0) return;
    this.#room.log(now, { action: "BLOBS_COLLECTED", actor: "system", requestId: null, details: { blobs, bytes } });
  }

  async #delete(digests: readonly Sha256[]): Promise<void> {
    const sent = TenantBlobs.for(this.#room.self, this.#room.env).deleteBlobs(digests);
    for (const digest of digests) this.#sent.set(digest, sent);
    try {
      await sent;
    } finally {
      for (const digest of digests) if (this.#sent.get(digest) === sent) this.#sent.delete(digest);
    }
  }
}
