/**
 * What the tabs of one tenant tell each other of chunks on their way, so that a tab that waits shows what another fetches.
 *
 * - At most ten times a second for a chunk, and at its end. Nothing depends on it but what is shown.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";

export interface ChunkOnItsWay {
  readonly sha256: Sha256;
  readonly bytes: number;
  readonly isWhole: boolean;
}

const EVERY_MS = 100;

export class SharedProgress {
  readonly #channel: BroadcastChannel;
  readonly #told = new Map<Sha256, number>();

  constructor(tenant: string) {
    this.#channel = new BroadcastChannel(`leasehold/${tenant}`);
  }

  tell(news: ChunkOnItsWay): void {
    const now = performance.now();
    if (!news.isWhole && now - (this.#told.get(news.sha256) ?? -EVERY_MS) < EVERY_MS) return;
    if (news.isWhole) this.#told.delete(news.sha256);
    else this.#told.set(news.sha256, now);
    this.#channel.postMessage(news);
  }

  /** Returns the function that ends it. */
  listen(listener: (news: ChunkOnItsWay) => void): () => void {
    const hear = ({ data }: MessageEvent<ChunkOnItsWay>) => listener(data);
    this.#channel.addEventListener("message", hear);
    return () => this.#channel.removeEventListener("message", hear);
  }

  close(): void {
    this.#channel.close();
  }
}
