/** A model of random bytes with a true manifest, a source that counts what it hands out, and ways to spoil the cache. */
import type { ModelId, Sha256, TenantId } from "../../../schema/contract/ids.ts";
import type { Chunk, Manifest, Variant } from "../../../schema/contract/models.ts";
import { sha256Hex } from "../../../client/cache/digest.ts";
import { importContentKey } from "../../../client/cache/seal.ts";
import type { Keeping } from "../../../client/cache/keeping.ts";
import { type FetchChunk, type FetchedModel, fetchModel, type FetchModelOptions } from "../../../client/cache/fetch-model.ts";
import type { LoadedFile } from "../../../client/runtime/host.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export interface MadeModel {
  readonly manifest: Manifest;
  readonly variant: Variant;
  readonly chunks: readonly Chunk[];
  readonly bytes: ReadonlyMap<Sha256, Bytes>;
  readonly size: number;
  readonly keeping: Keeping;
}

/** The same for all, as all chunks of a tenant are kept under one key. */
const CONTENT_KEY = "a2V5LWtleS1rZXkta2V5LWtleS1rZXkta2V5LWtleS0";

export const PLAIN: Keeping = { mode: "plain" };

/** To be kept encrypted, as a manifest means that says nothing. `shape`: for each file, the sizes of its chunks. */
export async function makeModel(shape: Readonly<Record<string, readonly number[]>>, tenant = "acme"): Promise<MadeModel> {
  const bytes = new Map<Sha256, Bytes>();
  const files = [];
  for (const [path, sizes] of Object.entries(shape)) {
    const chunks: Chunk[] = [];
    for (const size of sizes) {
      const content = randomBytes(size);
      const sha256 = await sha256Hex(content);
      bytes.set(sha256, content);
      chunks.push({ sha256, size });
    }
    const whole = new Uint8Array(await new Blob(chunks.map((chunk) => bytes.get(chunk.sha256) as Bytes)).arrayBuffer());
    files.push({ path, size: whole.byteLength, sha256: await sha256Hex(whole), chunks });
  }
  const variant: Variant = { id: "all", requires: {}, files };
  const manifest: Manifest = {
    schema: 1,
    tenant: tenant as TenantId,
    model: "made" as ModelId,
    revision: "rev_0f1e2d3c4b5a69788796a5b4" as Manifest["revision"],
    task: "raw",
    usage: { measure: "per-run", tokens: 1 },
    variants: [variant],
  };
  const chunks = files.flatMap((file) => file.chunks);
  const keeping: Keeping = { mode: "encrypted", key: await importContentKey(CONTENT_KEY) };
  return { manifest, variant, chunks, bytes, keeping, size: chunks.reduce((sum, { size }) => sum + size, 0) };
}

function randomBytes(size: number): Bytes {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)));
  return bytes;
}

export interface Source {
  readonly fetchChunk: FetchChunk;
  /** How often each chunk was asked for. */
  readonly asked: Map<Sha256, number>;
  /** The most that were in flight at one time. */
  peak: number;
}

/** Hands the chunks out a few milliseconds later; `spoil` may change what is handed out, by attempt. */
export function sourceOf(model: MadeModel, spoil: (bytes: Bytes, attempt: number, chunk: Chunk) => Bytes = (bytes) => bytes): Source {
  let inFlight = 0;
  const source: Source = {
    asked: new Map(),
    peak: 0,
    fetchChunk: async (chunk, { signal, onBytes }) => {
      const attempt = (source.asked.get(chunk.sha256) ?? 0) + 1;
      source.asked.set(chunk.sha256, attempt);
      source.peak = Math.max(source.peak, ++inFlight);
      try {
        for (const share of [0.5, 1]) {
          await new Promise((resolve) => setTimeout(resolve, 4));
          signal.throwIfAborted();
          onBytes(Math.floor(chunk.size * share));
        }
        return spoil((model.bytes.get(chunk.sha256) as Bytes).slice(), attempt, chunk);
      } finally {
        inFlight--;
      }
    },
  };
  return source;
}

/** To the end: until what was fetched is kept. */
export async function fetchKept(options: FetchModelOptions): Promise<FetchedModel> {
  const fetched = await fetchModel(options);
  await fetched.kept;
  return fetched;
}

export function flipBit(bytes: Bytes, at = Math.floor(bytes.length / 2), bit = 1): Bytes {
  bytes[at] = (bytes[at] as number) ^ bit;
  return bytes;
}

/** The file of a cached chunk, as another program with access to the disk would find it. */
export async function cachedFile(tenant: string, sha256: Sha256): Promise<FileSystemFileHandle> {
  let folder = await navigator.storage.getDirectory();
  for (const name of ["leasehold", tenant, "chunks"]) folder = await folder.getDirectoryHandle(name);
  return folder.getFileHandle(sha256);
}

export async function overwrite(handle: FileSystemFileHandle, bytes: Bytes): Promise<void> {
  const stream = await handle.createWritable();
  await stream.write(bytes);
  await stream.close();
}

export const wholeOf = async (file?: Pick<LoadedFile, "parts">) => sha256Hex(await new Blob([...(file?.parts ?? [])]).arrayBuffer());
