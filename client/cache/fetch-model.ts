/**
 * Brings the files of one variant together: from the store where they are, from the network where they are not.
 *
 * - Nothing unverified leaves this module: the store gives and takes only what a chunk's SHA-256 says. But `onChunk` is
 *   also given chunks for which their seal alone has vouched so far, says so of each, and leaves the SHA-256 to its owner.
 * - A cached chunk that does not open or misses its digest is dropped and fetched. A fetched one that misses it (or its
 *   length) is fetched once more; then `weights-corrupt`. One that was lost before it was judged is fetched again.
 * - At most `PARALLEL` chunks are in flight or being opened, and as many are being written: whoever waits for the model
 *   does not wait for the disk (`kept` does).
 * - The first failure or an abort ends the others; chunks that are complete stay for the next call.
 * - A file is the very bytes that were verified, a part a chunk, in memory once: to be handed on with that memory. A
 *   chunk that stands in a file twice is the same part twice.
 * - Beside calls that run, chunks are opened and checked as `giving-way.ts` says.
 */
import { LeaseholdError } from "../errors.ts";
import type { Opened } from "./chunk-work.ts";
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk, Manifest, Variant } from "../../schema/contract/models.ts";
import type { LoadedFile } from "../runtime/host.ts";
import { callsUnderWay } from "../runtime/calls-under-way.ts";
import { GivingWay } from "../runtime/giving-way.ts";
import { timed } from "../timing.ts";
import { chunksOf, type Keeping } from "./keeping.ts";
import type { ModelStore } from "./model-store.ts";
import { Rate } from "./rate.ts";
import type { Bytes } from "./seal.ts";

const PARALLEL = 4;

export interface FetchChunkOptions {
  readonly signal: AbortSignal;
  /** Bytes of this chunk received so far. */
  readonly onBytes: (received: number) => void;
}
/** Gives a chunk's bytes, of whatever length they came; rejects with a `LeaseholdError`. */
export type FetchChunk = (chunk: Chunk, options: FetchChunkOptions) => Promise<Bytes>;

/** `loadedBytes` counts what is at hand, cached or fetched, here or in another tab; it can fall when a chunk is fetched again. */
export interface FetchProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Of `loadedBytes`: what was here already, so that an update shows what it saves. */
  readonly cachedBytes: number;
  /** How fast they come over the network; null while there is nothing to tell. */
  readonly bytesPerSecond: number | null;
}

export interface FetchModelOptions {
  readonly manifest: Manifest;
  readonly variant: Variant;
  readonly store: ModelStore;
  readonly keeping: Keeping;
  readonly fetchChunk: FetchChunk;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FetchProgress) => void;
  /** Takes each chunk once it is there, with its memory: `files` are then for nobody else. */
  readonly onChunk?: (sha256: Sha256, bytes: Bytes, isVerified: boolean) => void;
}

export interface FetchedModel {
  readonly files: readonly LoadedFile[];
  readonly fetchedBytes: number;
  readonly cachedBytes: number;
  /** "hit": nothing was fetched. */
  readonly cache: "hit" | "miss";
  /** When what was fetched lies where it is to be kept. Never rejects. */
  readonly kept: Promise<void>;
}

export async function fetchModel({ manifest, variant, store, keeping, fetchChunk, signal, onProgress, onChunk }: FetchModelOptions): Promise<FetchedModel> {
  const chunks = chunksOf(variant);
  const failed = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const count = new Count(chunks, onProgress);
  const parts = new Map<Sha256, Bytes>();

  const writes = new Writes(PARALLEL);
  const givingWay = new GivingWay();

  const cached = async (chunk: Chunk): Promise<Opened | null> => {
    const opened = await givingWay.piece(() => store.openChunk(chunk, keeping, onChunk !== undefined));
    if (!opened) return null;
    count.found(chunk);
    if (opened.isKeptSo) return opened;
    await store.dropChunk(chunk.sha256);
    const took = await taken(chunk, opened.bytes);
    return took === null || took === "lost" ? null : { bytes: took.bytes, isVerified: true };
  };

  const taken = async (chunk: Chunk, bytes: Bytes) => {
    const took = await givingWay.piece(() => store.takeChunk(chunk, bytes, keeping));
    if (took !== null && took !== "lost") writes.add(took.kept);
    return took;
  };

  const fetchVerified = async (chunk: Chunk) => {
    let damaged = 0;
    while (damaged < 2) {
      count.received(chunk, 0);
      const arrived = await timed("chunk: download", () =>
        fetchChunk(chunk, {
          signal: stop,
          onBytes: (received) => {
            count.received(chunk, received);
            store.progress.tell({ sha256: chunk.sha256, bytes: received, isWhole: false });
          },
        }),
      );
      stop.throwIfAborted();
      const took = await taken(chunk, arrived);
      if (took === "lost") continue;
      if (took === null) {
        damaged++;
        continue;
      }
      count.fetched(chunk);
      store.progress.tell({ sha256: chunk.sha256, bytes: chunk.size, isWhole: true });
      return took;
    }
    throw new LeaseholdError("weights-corrupt", `Weights of ${manifest.model} arrived damaged twice. Try again later.`);
  };

  /** The lock is held until the chunk is kept, so that another tab finds it; the bytes are there before. */
  const fetchAlone = (chunk: Chunk): Promise<Opened> =>
    new Promise((resolve, reject) => {
      const work = async () => {
        const found = await cached(chunk); // another tab may have fetched it while this one waited for the lock
        if (found) return resolve(found);
        const { bytes, kept } = await fetchVerified(chunk);
        resolve({ bytes, isVerified: true });
        await kept;
      };
      store.exclusively(chunk.sha256, stop, work).catch(reject);
    });

  const obtain = async (chunk: Chunk) => {
    const { bytes, isVerified } = (await cached(chunk)) ?? (await fetchAlone(chunk));
    stop.throwIfAborted();
    parts.set(chunk.sha256, bytes);
    onChunk?.(chunk.sha256, bytes, isVerified);
    await writes.room();
  };

  const queue = chunks.values();
  const worker = async () => {
    for (const chunk of queue) await obtain(chunk);
  };
  const letGo = store.hold(chunks);
  const unwatch = callsUnderWay.watch((areUnderWay) => givingWay.hear(areUnderWay));
  const deaf = store.progress.listen(({ sha256, bytes }) => count.heard(sha256, bytes));
  try {
    stop.throwIfAborted();
    count.report();
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  } catch (error) {
    failed.abort(error);
    void writes.all().then(letGo);
    if (signal?.aborted) throw new LeaseholdError("aborted", "The download was stopped.", { cause: signal.reason });
    throw error;
  } finally {
    unwatch();
    deaf();
  }
  return {
    files: variant.files.map((file) => ({ path: file.path, parts: file.chunks.map(({ sha256 }) => parts.get(sha256) as Bytes) })),
    fetchedBytes: count.fetchedBytes,
    cachedBytes: count.totalBytes - count.fetchedBytes,
    cache: count.fetchedBytes === 0 ? "hit" : "miss",
    kept: writes.all().then(() => store.touch(chunks)).finally(letGo),
  };
}

/** Whether every chunk is in the store, by name and length; their bytes are checked when they are used. */
export async function isStored(variant: Variant, store: ModelStore): Promise<boolean> {
  const found = await Promise.all(chunksOf(variant).map((chunk) => store.hasChunk(chunk)));
  return found.every(Boolean);
}

/** Chunks on their way to the disk; none of them rejects. */
class Writes {
  readonly #most: number;
  readonly #pending = new Set<Promise<void>>();

  constructor(most: number) {
    this.#most = most;
  }

  add(write: Promise<void>): void {
    this.#pending.add(write);
    void write.then(() => this.#pending.delete(write));
  }

  async room(): Promise<void> {
    while (this.#pending.size >= this.#most) await Promise.race(this.#pending);
  }

  async all(): Promise<void> {
    await Promise.all(this.#pending);
  }
}

/** How far a model is, and how fast. */
class Count {
  readonly totalBytes: number;
  fetchedBytes = 0;
  readonly #sizes: ReadonlyMap<Sha256, number>;
  readonly #atHand = new Map<Sha256, number>();
  readonly #whole = new Set<Sha256>();
  readonly #rate = new Rate();
  readonly #onProgress: ((progress: FetchProgress) => void) | undefined;
  #cachedBytes = 0;

  constructor(chunks: readonly Chunk[], onProgress: ((progress: FetchProgress) => void) | undefined) {
    this.#sizes = new Map(chunks.map(({ sha256, size }) => [sha256, size]));
    this.totalBytes = chunks.reduce((sum, { size }) => sum + size, 0);
    this.#onProgress = onProgress;
  }

  /** In the store; while another tab fetched it, it was heard of and is no saving. */
  found({ sha256, size }: Chunk): void {
    if (!this.#atHand.has(sha256)) this.#cachedBytes += size;
    this.#end(sha256, size);
  }

  received({ sha256 }: Chunk, bytes: number): void {
    this.#note(sha256, bytes);
  }

  fetched({ sha256, size }: Chunk): void {
    this.fetchedBytes += size;
    this.#end(sha256, size);
  }

  /** From another tab. */
  heard(sha256: Sha256, bytes: number): void {
    if (this.#sizes.has(sha256) && !this.#whole.has(sha256)) this.#note(sha256, bytes);
  }

  report(): void {
    let loadedBytes = 0;
    for (const bytes of this.#atHand.values()) loadedBytes += bytes;
    this.#onProgress?.({ loadedBytes, totalBytes: this.totalBytes, cachedBytes: this.#cachedBytes, bytesPerSecond: this.#rate.bytesPerSecond(performance.now()) });
  }

  #note(sha256: Sha256, received: number): void {
    const bytes = Math.min(received, this.#sizes.get(sha256) ?? 0);
    this.#rate.add(bytes - (this.#atHand.get(sha256) ?? 0), performance.now());
    this.#atHand.set(sha256, bytes);
    this.report();
  }

  #end(sha256: Sha256, size: number): void {
    this.#whole.add(sha256);
    this.#atHand.set(sha256, size);
    this.report();
  }
}
