/**
 * Room on a full disk: files of pages that went away while they wrote go first, then the chunks used longest ago.
 *
 * - What this page is bringing together right now (`hold`) stays. What a loaded model came from may go: the model runs on.
 * - One after another: several writers that find the disk full at once must not count the same room each.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk } from "../../schema/contract/models.ts";
import type { Disk } from "./disk.ts";

export class Room {
  /** Files that are older and have no record are nobody's. */
  readonly #openedAt = Date.now();
  readonly #held = new Map<Sha256, number>();
  #turn: Promise<unknown> = Promise.resolve();
  #freedBytes = 0;

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

  /** Drops what may go until `bytes` are free. Says whether anything went since `write` was tried. */
  async make(disk: Disk, bytes: number, freedBefore: number): Promise<boolean> {
    const turn = this.#turn.then(() => this.#make(disk, bytes)).catch(() => undefined); // a disk that can't be cleared is as full as it was
    this.#turn = turn;
    await turn;
    return this.#freedBytes !== freedBefore;
  }

  get freedBytes(): number {
    return this.#freedBytes;
  }

  async #make({ files, catalogue }: Disk, bytes: number): Promise<void> {
    const enough = this.#freedBytes + bytes;
    const known = new Set(await catalogue.getAllKeys("chunks"));
    for (const sha256 of await files.names()) {
      const file = known.has(sha256) ? null : await files.find(sha256);
      if (!file || file.lastModified >= this.#openedAt) continue; // what is being written has no record yet
      await files.remove(sha256);
      this.#freedBytes += file.size;
    }
    for (const { sha256, size } of await catalogue.getAllFromIndex("chunks", "usedAt")) {
      if (this.#freedBytes >= enough) break;
      if (this.#held.has(sha256)) continue;
      await catalogue.delete("chunks", sha256);
      await files.remove(sha256);
      this.#freedBytes += size;
    }
  }
}
