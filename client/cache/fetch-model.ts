/**
 * Brings the files of one variant together: from the store where they are, from the network where they are not.
 *
 * - Nothing unverified leaves this module: every chunk's SHA-256 is checked, cached or fetched.
 * - A cached chunk that misses its digest is dropped and fetched. A fetched one that misses it (or its length) is
 *   fetched once more; then `weights-corrupt`.
 * - At most `PARALLEL` chunks are in flight; each is in memory once while it is, and a disk file afterwards.
 * - The first failure or an abort ends the others; chunks that are complete stay for the next call.
 * - A file is a Blob of its chunks' files: handed over without a copy.
 */
import { LeaseholdError } from "../errors.ts";
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk, Manifest, Variant } from "../../schema/contract/models.ts";
import type { RuntimeFile } from "../runtime/host.ts";
import { sha256Hex } from "./digest.ts";
import type { ModelStore } from "./model-store.ts";

const PARALLEL = 4;

export interface FetchChunkOptions {
  readonly signal: AbortSignal;
  /** Bytes of this chunk received so far. */
  readonly onBytes: (received: number) => void;
}
/** Gives a chunk's bytes, of whatever length they came; rejects with a `LeaseholdError`. */
export type FetchChunk = (chunk: Chunk, options: FetchChunkOptions) => Promise<Uint8Array<ArrayBuffer>>;

/** `loadedBytes` counts what is at hand, cached or fetched; it can fall when a chunk is fetched again. */
export interface FetchProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

export interface FetchModelOptions {
  readonly manifest: Manifest;
  readonly variant: Variant;
  readonly store: ModelStore;
  readonly fetchChunk: FetchChunk;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FetchProgress) => void;
}

export interface FetchedModel {
  readonly files: readonly RuntimeFile[];
  readonly fetchedBytes: number;
  readonly cachedBytes: number;
  /** "hit": nothing was fetched. */
  readonly cache: "hit" | "miss";
}

export async function fetchModel({ manifest, variant, store, fetchChunk, signal, onProgress }: FetchModelOptions): Promise<FetchedModel> {
  const chunks = uniqueChunks(variant);
  const totalBytes = sizeOf(chunks);
  const failed = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const received = new Map<Sha256, number>();
  const parts = new Map<Sha256, Blob>();
  let fetchedBytes = 0;

  const note = (chunk: Chunk, bytes: number) => {
    received.set(chunk.sha256, Math.min(bytes, chunk.size));
    let loadedBytes = 0;
    for (const count of received.values()) loadedBytes += count;
    onProgress?.({ loadedBytes, totalBytes });
  };

  const fetchVerified = async (chunk: Chunk): Promise<Blob> => {
    for (let attempt = 1; attempt <= 2; attempt++) {
      note(chunk, 0);
      const bytes = await fetchChunk(chunk, { signal: stop, onBytes: (count) => note(chunk, count) });
      stop.throwIfAborted();
      if (bytes.byteLength === chunk.size && (await sha256Hex(bytes)) === chunk.sha256) {
        fetchedBytes += chunk.size;
        return store.keepChunk(chunk, bytes);
      }
    }
    throw new LeaseholdError("weights-corrupt", `Weights of ${manifest.model} arrived damaged twice. Try again later.`);
  };

  const obtain = async (chunk: Chunk) => {
    const blob =
      (await cachedChunk(store, chunk)) ??
      // Another tab may have fetched it while this one waited for the lock.
      (await store.exclusively(chunk.sha256, stop, async () => (await cachedChunk(store, chunk)) ?? fetchVerified(chunk)));
    stop.throwIfAborted();
    parts.set(chunk.sha256, blob);
    note(chunk, chunk.size);
  };

  const queue = chunks.values();
  const worker = async () => {
    for (const chunk of queue) await obtain(chunk);
  };
  try {
    stop.throwIfAborted();
    onProgress?.({ loadedBytes: 0, totalBytes });
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  } catch (error) {
    failed.abort(error);
    if (signal?.aborted) throw new LeaseholdError("aborted", "The download was stopped.", { cause: signal.reason });
    throw error;
  }
  return {
    files: variant.files.map((file) => ({ path: file.path, blob: new Blob(file.chunks.map(({ sha256 }) => parts.get(sha256) as Blob)) })),
    fetchedBytes,
    cachedBytes: totalBytes - fetchedBytes,
    cache: fetchedBytes === 0 ? "hit" : "miss",
  };
}

/** Whether every chunk is in the store, by name and length; their bytes are checked when they are used. */
export async function isStored(variant: Variant, store: ModelStore): Promise<boolean> {
  for (const chunk of uniqueChunks(variant)) if (!(await store.chunk(chunk))) return false;
  return true;
}

async function cachedChunk(store: ModelStore, chunk: Chunk): Promise<Blob | null> {
  const blob = await store.chunk(chunk);
  if (!blob) return null;
  const digest = await blob.arrayBuffer().then(sha256Hex, () => null); // a file changed under its snapshot can't be read
  if (digest === chunk.sha256) return blob;
  await store.dropChunk(chunk.sha256);
  return null;
}

function uniqueChunks(variant: Variant): Chunk[] {
  return [...new Map(variant.files.flatMap((file) => file.chunks).map((chunk) => [chunk.sha256, chunk])).values()];
}

const sizeOf = (chunks: readonly Chunk[]) => chunks.reduce((sum, chunk) => sum + chunk.size, 0);
