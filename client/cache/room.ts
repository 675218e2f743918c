/**
 * Room on a full disk: files of pages that went away while they wrote go first, then the chunks used longest ago, and
 * last those that can't be fetched again where there is no network: of models with an offline lease.
 *
 * - What this page is bringing together right now (`hold`) stays. What a loaded model came from may go: the model runs on.
 * - No more goes than must: one writer after another makes room (`inTurn`).
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk } from "../../schema/contract/models.ts";
import { manifestsOf } from "./catalogue.ts";
import type { Disk } from "./disk.ts";
import { inOrderOfGoing } from "./keeping.ts";
import { sealedBytes } from "./seal.ts";

/** The digests of the manifests that offline leases are for. */
export type NeededOffline = () => Promise<readonly Sha256[]>;

export class Room {
  readonly #neededOffline: NeededOffline;
  /** Files that are older and have no record are nobody's. */
  readonly #openedAt = Date.now();
  readonly #held = new Map<Sha256, number>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(neededOffline: NeededOffline) {
    this.#neededOffline = neededOffline;
  }

  /** Keeps them until what this gives is called. */
  hold(chunks: readonly Chunk[]): () => void {
    for (const { sha256 } of chunks) this.#held.set(sha256, (this.#held.get(sha256) ?? 0) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      for (const { sha256 } of chunks) {
        const left = (this.#held.get(sha256) ?? 1) - 1;
        if (left > 0) this.#held.set(sha256, left);
        else this.#held.delete(sha256);
      }
    };
  }

  /** Whoever writes on a full disk does so alone: several that make room at once would each make it for all. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined); // whoever had the turn hears of it
    return mine;
  }

  /** Drops what may go until `bytes` are free. Says whether anything went. */
  async make(disk: Disk, bytes: number): Promise<boolean> {
    let freedBytes = 0;
    const { files, catalogue } = disk;
    const known = new Set(await catalogue.getAllKeys("chunks"));
    for (const sha256 of await files.names()) {
      const file = known.has(sha256) ? null : await files.find(sha256);
      if (!file || file.lastModified >= this.#openedAt) continue; // what is being written has no record yet
      await files.remove(sha256);
      freedBytes += file.size;
    }
    const needed = await this.#neededOffline().catch(() => []); // then by use alone
    const texts = await Promise.all(needed.map((digest) => catalogue.get("manifests", digest)));
    const offline = manifestsOf(texts.map((row) => row?.text));
    for (const { sha256, size, isSealed } of inOrderOfGoing(await catalogue.getAllFromIndex("chunks", "usedAt"), offline)) {
      if (freedBytes >= bytes) break;
      if (this.#held.has(sha256)) continue;
      await catalogue.delete("chunks", sha256);
      await files.remove(sha256);
      freedBytes += isSealed ? sealedBytes(size) : size;
    }
    return freedBytes > 0;
  }
}
