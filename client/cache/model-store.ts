/**
 * The weights of one tenant's models in this browser: chunks in OPFS, records in IndexedDB, both under the tenant.
 *
 * - Never fails for want of storage: what the disk refuses is kept in memory until `close`, and `place` says why.
 * - Gives bytes as they were found. Whoever uses a chunk hashes it first (`fetch-model.ts` does).
 * - A full disk costs the chunks that were used longest ago, never one used since this store was opened.
 * - `exclusively` lets one tab at a time work on a chunk, so that two tabs download it once.
 */
import type { ModelId, Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk } from "../../schema/contract/models.ts";
import { type Catalogue, openCatalogue } from "./catalogue.ts";
import { ChunkFiles, isNamed } from "./chunk-files.ts";

export type Place = { readonly kind: "disk" } | { readonly kind: "memory"; readonly reason: string };

export interface ModelStore {
  readonly tenant: string;
  /** Where new chunks go. */
  readonly place: Place;
  chunk(chunk: Chunk): Promise<Blob | null>;
  keepChunk(chunk: Chunk, bytes: Uint8Array<ArrayBuffer>): Promise<Blob>;
  dropChunk(sha256: Sha256): Promise<void>;
  manifest(digest: Sha256): Promise<string | null>;
  /** Keeps the manifest and notes that the model's last lease pinned it. */
  keepManifest(model: ModelId, digest: Sha256, text: string): Promise<void>;
  pinnedDigest(model: ModelId): Promise<Sha256 | null>;
  /** Rejects with the signal's reason while it waits; work that has begun is the caller's to abort. */
  exclusively<T>(sha256: Sha256, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  close(): void;
}

/** Another tab that hangs with a lock must not hang this one. */
const LOCK_PATIENCE_MS = 60_000;

export async function openModelStore(tenant: string): Promise<ModelStore> {
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(tenant)) throw new RangeError("not a tenant id");
  try {
    const files = await ChunkFiles.open(tenant);
    return new TenantStore(tenant, { files, catalogue: await openCatalogue(tenant) }, { kind: "disk" });
  } catch (error) {
    return new TenantStore(tenant, null, { kind: "memory", reason: reasonOf(error) });
  }
}

interface Disk {
  readonly files: ChunkFiles;
  readonly catalogue: Catalogue;
}

class TenantStore implements ModelStore {
  readonly tenant: string;
  readonly #disk: Disk | null;
  readonly #openedAt = Date.now();
  readonly #chunks = new Map<Sha256, Blob>();
  readonly #manifests = new Map<Sha256, string>();
  readonly #pinned = new Map<ModelId, Sha256>();
  #place: Place;

  constructor(tenant: string, disk: Disk | null, place: Place) {
    this.tenant = tenant;
    this.#disk = disk;
    this.#place = place;
  }

  get place(): Place {
    return this.#place;
  }

  async chunk({ sha256, size }: Chunk): Promise<Blob | null> {
    const kept = this.#chunks.get(sha256);
    if (kept) return kept;
    return this.#fromDisk(async ({ files, catalogue }) => {
      const record = await catalogue.get("chunks", sha256);
      if (!record) return null;
      const file = await files.read(sha256);
      if (file?.size !== size) return null;
      await catalogue.put("chunks", { ...record, usedAt: Date.now() });
      return file;
    });
  }

  async keepChunk(chunk: Chunk, bytes: Uint8Array<ArrayBuffer>): Promise<Blob> {
    if (this.#disk && this.#place.kind === "disk") {
      try {
        return await this.#write(this.#disk, chunk, bytes);
      } catch (error) {
        this.#place = { kind: "memory", reason: reasonOf(error) };
      }
    }
    const blob = new Blob([bytes]);
    this.#chunks.set(chunk.sha256, blob);
    return blob;
  }

  async dropChunk(sha256: Sha256): Promise<void> {
    this.#chunks.delete(sha256);
    await this.#fromDisk(async ({ files, catalogue }) => {
      await catalogue.delete("chunks", sha256);
      await files.remove(sha256);
      return null;
    });
  }

  async manifest(digest: Sha256): Promise<string | null> {
    return this.#manifests.get(digest) ?? this.#fromDisk(async ({ catalogue }) => (await catalogue.get("manifests", digest))?.text ?? null);
  }

  async keepManifest(model: ModelId, digest: Sha256, text: string): Promise<void> {
    this.#manifests.set(digest, text);
    this.#pinned.set(model, digest);
    await this.#fromDisk(async ({ catalogue }) => {
      const change = catalogue.transaction(["manifests", "models"], "readwrite");
      await Promise.all([
        change.objectStore("manifests").put({ digest, text }),
        change.objectStore("models").put({ model, digest }),
        change.done,
      ]);
      return null;
    });
  }

  async pinnedDigest(model: ModelId): Promise<Sha256 | null> {
    return this.#pinned.get(model) ?? this.#fromDisk(async ({ catalogue }) => (await catalogue.get("models", model))?.digest ?? null);
  }

  async exclusively<T>(sha256: Sha256, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (!this.#disk || this.#place.kind === "memory" || !("locks" in navigator)) return work();
    const patience = AbortSignal.timeout(LOCK_PATIENCE_MS);
    let begun = false;
    try {
      return await navigator.locks.request(`leasehold/${this.tenant}/${sha256}`, { signal: AbortSignal.any([signal, patience]) }, () => {
        begun = true;
        return work();
      });
    } catch (error) {
      if (begun || signal.aborted || !patience.aborted) throw error;
      return work();
    }
  }

  close(): void {
    this.#disk?.catalogue.close();
    this.#chunks.clear();
  }

  /** Storage that fails in mid-life (cleared by the user, closed by the browser) counts as empty from then on. */
  async #fromDisk<T>(work: (disk: Disk) => Promise<T | null>): Promise<T | null> {
    if (!this.#disk) return null;
    try {
      return await work(this.#disk);
    } catch (error) {
      this.#place = { kind: "memory", reason: reasonOf(error) };
      return null;
    }
  }

  async #write(disk: Disk, { sha256, size }: Chunk, bytes: Uint8Array<ArrayBuffer>): Promise<Blob> {
    let file: File;
    try {
      file = await disk.files.write(sha256, bytes);
    } catch (error) {
      if (!isNamed(error, "QuotaExceededError") || !(await this.#makeRoom(disk, size))) throw error;
      file = await disk.files.write(sha256, bytes);
    }
    await disk.catalogue.put("chunks", { sha256, size, usedAt: Date.now() });
    return file;
  }

  /** Drops least recently used chunks until `bytes` are free; says whether it dropped that much. */
  async #makeRoom({ files, catalogue }: Disk, bytes: number): Promise<boolean> {
    const old = await catalogue.getAllFromIndex("chunks", "usedAt", IDBKeyRange.upperBound(this.#openedAt, true));
    let freed = 0;
    for (const { sha256, size } of old) {
      if (freed >= bytes) break;
      await catalogue.delete("chunks", sha256);
      await files.remove(sha256);
      freed += size;
    }
    return freed >= bytes;
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
