/**
 * Brings the files of one variant together: from the store where they are, from the network where they are not.
 *
 * - Nothing unverified leaves this module: every chunk's SHA-256 is checked, cached or fetched.
 * - A cached chunk that does not open or misses its digest is dropped and fetched. A fetched one that misses it (or its
 *   length) is fetched once more; then `weights-corrupt`.
 * - At most `PARALLEL` chunks are in flight or being opened; each is in memory once while it is.
 * - The first failure or an abort ends the others; chunks that are complete stay for the next call.
 * - A file is the very bytes that were verified, a part a chunk, in memory once: to be handed on with that memory. A
 *   chunk that stands in a file twice is the same part twice.
 */
import { LeaseholdError } from "../errors.ts";
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk, Manifest, Variant } from "../../schema/contract/models.ts";
import type { LoadedFile } from "../runtime/host.ts";
import { timed } from "../timing.ts";
import { sha256Hex } from "./digest.ts";
import { chunksOf, type Keeping } from "./keeping.ts";
import type { KeptChunk, ModelStore } from "./model-store.ts";
import { Rate } from "./rate.ts";
import { openChunk } from "./seal.ts";

const PARALLEL = 4;

type Bytes = Uint8Array<ArrayBuffer>;

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
}

export interface FetchedModel {
  readonly files: readonly LoadedFile[];
  readonly fetchedBytes: number;
  readonly cachedBytes: number;
  /** "hit": nothing was fetched. */
  readonly cache: "hit" | "miss";
}

export async function fetchModel({ manifest, variant, store, keeping, fetchChunk, signal, onProgress }: FetchModelOptions): Promise<FetchedModel> {
  const chunks = chunksOf(variant);
  const failed = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const count = new Count(chunks, onProgress);
  const parts = new Map<Sha256, Bytes>();

  const cached = async (chunk: Chunk): Promise<Bytes | null> => {
    const kept = await store.chunk(chunk);
    const bytes = kept && (await verified(kept, chunk, store.tenant, keeping));
    if (!kept) return null;
    if (!bytes) {
      await store.dropChunk(chunk.sha256);
      return null;
    }
    count.found(chunk);
    if (isKeptAs(kept, keeping)) return bytes;
    await store.dropChunk(chunk.sha256);
    await store.keepChunk(chunk, bytes, keeping);
    return bytes;
  };

  const fetchVerified = async (chunk: Chunk): Promise<Bytes> => {
    for (let attempt = 1; attempt <= 2; attempt++) {
      count.received(chunk, 0);
      const bytes = await timed("chunk: download", () => fetchChunk(chunk, {
        signal: stop,
        onBytes: (received) => {
          count.received(chunk, received);
          store.progress.tell({ sha256: chunk.sha256, bytes: received, isWhole: false });
        },
      }));
      stop.throwIfAborted();
      if (bytes.byteLength === chunk.size && (await timed("chunk: digest", () => sha256Hex(bytes))) === chunk.sha256) {
        await timed("chunk: keep", () => store.keepChunk(chunk, bytes, keeping));
        count.fetched(chunk);
        store.progress.tell({ sha256: chunk.sha256, bytes: chunk.size, isWhole: true });
        return bytes;
      }
    }
    throw new LeaseholdError("weights-corrupt", `Weights of ${manifest.model} arrived damaged twice. Try again later.`);
  };

  const obtain = async (chunk: Chunk) => {
    const bytes =
      (await cached(chunk)) ??
      // Another tab may have fetched it while this one waited for the lock.
      (await store.exclusively(chunk.sha256, stop, async () => (await cached(chunk)) ?? fetchVerified(chunk)));
    stop.throwIfAborted();
    parts.set(chunk.sha256, bytes);
  };

  const queue = chunks.values();
  const worker = async () => {
    for (const chunk of queue) await obtain(chunk);
  };
  const deaf = store.progress.listen(({ sha256, bytes }) => count.heard(sha256, bytes));
  try {
    stop.throwIfAborted();
    count.report();
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  } catch (error) {
    failed.abort(error);
    if (signal?.aborted) throw new LeaseholdError("aborted", "The download was stopped.", { cause: signal.reason });
    throw error;
  } finally {
    deaf();
  }
  await timed("touch", () => store.touch(chunks));
  return {
    files: variant.files.map((file) => ({ path: file.path, parts: file.chunks.map(({ sha256 }) => parts.get(sha256) as Bytes) })),
    fetchedBytes: count.fetchedBytes,
    cachedBytes: count.totalBytes - count.fetchedBytes,
    cache: count.fetchedBytes === 0 ? "hit" : "miss",
  };
}

/** Whether every chunk is in the store, by name and length; their bytes are checked when they are used. */
export async function isStored(variant: Variant, store: ModelStore): Promise<boolean> {
  for (const chunk of chunksOf(variant)) if (!(await store.chunk(chunk))) return false;
  return true;
}

/** The chunk's own bytes; null where they are not what its digest says, or can't be read any more. */
async function verified({ blob, isSealed }: KeptChunk, chunk: Chunk, tenant: string, keeping: Keeping): Promise<Bytes | null> {
  const found = await timed("chunk: read", () => blob.arrayBuffer()).then((buffer) => new Uint8Array(buffer), () => null); // a file changed under its snapshot can't be read
  if (!found || (isSealed && keeping.mode !== "encrypted")) return null;
  const bytes = isSealed && keeping.mode === "encrypted" ? await timed("chunk: decrypt", () => openChunk(keeping.key, tenant, chunk, found)) : found;
  return bytes && (await timed("chunk: digest", () => sha256Hex(bytes))) === chunk.sha256 ? bytes : null;
}

/** What is in memory stays there. */
const isKeptAs = ({ blob, isSealed }: KeptChunk, { mode }: Keeping) => !(blob instanceof File) || (mode === "encrypted" ? isSealed : mode === "plain" && !isSealed);

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
