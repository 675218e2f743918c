/**
 * The weights of one tenant's models in this browser: chunks in OPFS, records in IndexedDB, both under the tenant.
 *
 * - Never fails for want of storage: what the disk refuses is kept in memory until `close`, and `place` says why.
 * - Gives bytes as they were found. Whoever uses a chunk hashes it first (`fetch-model.ts` does).
 * - A full disk costs the chunks that were used longest ago, never one used since this store was opened.
 * - `exclusively` lets one tab at a time work on a chunk, so that two tabs download it once.
 */
import type { ModelId, Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk, Manifest } from "../../schema/contract/models.ts";
import { type Catalogue, openCatalogue } from "./catalogue.ts";
import { ChunkFiles, isNamed } from "./chunk-files.ts";
import { chunksToDrop, type Keeping } from "./keeping.ts";
import { SEAL_BYTES, sealChunk } from "./seal.ts";
import { SharedProgress } from "./shared-progress.ts";

export type Place = { readonly kind: "disk" } | { readonly kind: "memory"; readonly reason: string };

export interface KeptChunk {
  readonly blob: Blob;
  readonly isSealed: boolean;
}

export interface ModelStore {
  readonly tenant: string;
  /** Where new chunks go. */
  readonly place: Place;
  readonly progress: SharedProgress;
  chunk(chunk: Chunk): Promise<KeptChunk | null>;
  /** The bytes stay the caller's. */
  keepChunk(chunk: Chunk, bytes: Uint8Array<ArrayBuffer>, keeping: Keeping): Promise<void>;
  dropChunk(sha256: Sha256): Promise<void>;
  /** Notes that these were used just now. */
  touch(chunks: readonly Chunk[]): Promise<void>;
  manifest(digest: Sha256): Promise<string | null>;
  keepManifest(digest: Sha256, text: string): Promise<void>;
  /** The revision of a model that is in force here: the last that was whole. */
  revision(model: ModelId): Promise<Sha256 | null>;
  /** Puts another revision in force, in one step, and drops what only the one before needed. Its manifest is kept. */
  switchTo(model: ModelId, digest: Sha256): Promise<void>;
  /** Asks the browser not to clear what is cached, where that is worth a question: a person uses the page, and a model lies on disk. */
  askToStay(): Promise<void>;
  /** Rejects with the signal's reason while it waits; work that has begun is the caller's to abort. */
  exclusively<T>(sha256: Sha256, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  close(): void;
}

/** Another tab that hangs with a lock must not hang this one. */
const LOCK_PATIENCE_MS = 60_000;
/** The browser's count of what an origin takes lags behind, and others write as well: room is made more than once. */
const ROOM_ATTEMPTS = 3;

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
  readonly progress: SharedProgress;
  readonly #disk: Disk | null;
  readonly #openedAt = Date.now();
  readonly #chunks = new Map<Sha256, Blob>();
  readonly #manifests = new Map<Sha256, string>();
  readonly #revisions = new Map<ModelId, Sha256>();
  #room: Promise<void> = Promise.resolve();
  #freedBytes = 0;
  #hasAsked = false;
  #place: Place;

  constructor(tenant: string, disk: Disk | null, place: Place) {
    this.tenant = tenant;
    this.progress = new SharedProgress(tenant);
    this.#disk = disk;
    this.#place = place;
  }

  get place(): Place {
    return this.#place;
  }

  async chunk({ sha256, size }: Chunk): Promise<KeptChunk | null> {
    const kept = this.#chunks.get(sha256);
    if (kept) return { blob: kept, isSealed: false };
    return this.#fromDisk(async ({ files, catalogue }) => {
      const record = await catalogue.get("chunks", sha256);
      if (!record) return null;
      const isSealed = record.isSealed ?? false;
      const blob = await files.read(sha256);
      return blob?.size === (isSealed ? size + SEAL_BYTES : size) ? { blob, isSealed } : null;
    });
  }

  async keepChunk(chunk: Chunk, bytes: Uint8Array<ArrayBuffer>, keeping: Keeping): Promise<void> {
    if (this.#disk && this.#place.kind === "disk" && keeping.mode !== "none") {
      try {
        return await this.#write(this.#disk, chunk, bytes, keeping);
      } catch (error) {
        this.#place = { kind: "memory", reason: reasonOf(error) };
      }
    }
    this.#chunks.set(chunk.sha256, new Blob([bytes]));
  }

  async dropChunk(sha256: Sha256): Promise<void> {
    this.#chunks.delete(sha256);
    await this.#fromDisk(async ({ files, catalogue }) => {
      await catalogue.delete("chunks", sha256);
      await files.remove(sha256);
      return null;
    });
  }

  async touch(chunks: readonly Chunk[]): Promise<void> {
    await this.#fromDisk(async ({ catalogue }) => {
      const change = catalogue.transaction("chunks", "readwrite");
      for (const { sha256 } of chunks) {
        const record = await change.store.get(sha256);
        if (record) void change.store.put({ ...record, usedAt: Date.now() });
      }
      await change.done;
      return null;
    });
  }

  async manifest(digest: Sha256): Promise<string | null> {
    return this.#manifests.get(digest) ?? this.#fromDisk(async ({ catalogue }) => (await catalogue.get("manifests", digest))?.text ?? null);
  }

  async keepManifest(digest: Sha256, text: string): Promise<void> {
    this.#manifests.set(digest, text);
    await this.#fromDisk(async ({ catalogue }) => {
      await catalogue.put("manifests", { digest, text });
      return null;
    });
  }

  async revision(model: ModelId): Promise<Sha256 | null> {
    return this.#revisions.get(model) ?? this.#fromDisk(async ({ catalogue }) => (await catalogue.get("models", model))?.digest ?? null);
  }

  async switchTo(model: ModelId, digest: Sha256): Promise<void> {
    const before = this.#revisions.get(model);
    this.#revisions.set(model, digest);
    const inForce = new Set(this.#revisions.values());
    const texts = [...inForce].map((one) => this.#manifests.get(one));
    if (before && !inForce.has(before)) for (const sha256 of chunksToDrop(manifestsOf([this.#manifests.get(before)]), manifestsOf(texts))) this.#chunks.delete(sha256);
    await this.#fromDisk(async (disk) => {
      for (const sha256 of await switchRecords(disk.catalogue, model, digest)) await disk.files.remove(sha256);
      return null;
    });
  }

  /** Some browsers ask the person, so not before a model was fetched for something that the person did, and once a page. */
  async askToStay(): Promise<void> {
    if (this.#hasAsked || this.#place.kind === "memory" || !navigator.userActivation?.hasBeenActive) return;
    this.#hasAsked = true;
    if (!(await navigator.storage.persisted())) await navigator.storage.persist();
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
    this.progress.close();
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

  /** File first, record second; either may find the disk full. */
  async #write(disk: Disk, chunk: Chunk, bytes: Uint8Array<ArrayBuffer>, keeping: Keeping): Promise<void> {
    const isSealed = keeping.mode === "encrypted";
    const parts = isSealed ? await sealChunk(keeping.key, this.tenant, chunk, bytes) : [bytes];
    const { sha256, size } = chunk;
    const write = async () => {
      await disk.files.write(sha256, parts);
      await disk.catalogue.put("chunks", { sha256, size, usedAt: Date.now(), isSealed });
    };
    for (let attempt = 1; ; attempt++) {
      const freedBefore = this.#freedBytes;
      try {
        return await write();
      } catch (error) {
        if (!isNamed(error, "QuotaExceededError") || attempt > ROOM_ATTEMPTS) throw error;
        // One after another: several writers that find the disk full at once must not count the same room each.
        const room = this.#room.then(() => this.#makeRoom(disk, attempt * (size + SEAL_BYTES)));
        this.#room = room.catch(() => undefined);
        await room;
        if (this.#freedBytes === freedBefore) throw error;
      }
    }
  }

  /** Drops files of pages that went away while they wrote, then least recently used chunks, until `bytes` are free. */
  async #makeRoom({ files, catalogue }: Disk, bytes: number): Promise<void> {
    const enough = this.#freedBytes + bytes;
    const known = new Set(await catalogue.getAllKeys("chunks"));
    for (const sha256 of await files.names()) {
      const file = known.has(sha256) ? null : await files.read(sha256);
      if (!file || file.lastModified >= this.#openedAt) continue; // what is being written has no record yet
      await files.remove(sha256);
      this.#freedBytes += file.size;
    }
    for (const { sha256, size } of await catalogue.getAllFromIndex("chunks", "usedAt", IDBKeyRange.upperBound(this.#openedAt, true))) {
      if (this.#freedBytes >= enough) break;
      await catalogue.delete("chunks", sha256);
      await files.remove(sha256);
      this.#freedBytes += size;
    }
  }
}

/** One transaction: whoever looks sees the revision before with all its chunks, or the new one. Gives what it dropped. */
async function switchRecords(catalogue: Catalogue, model: ModelId, digest: Sha256): Promise<Sha256[]> {
  const change = catalogue.transaction(["models", "manifests", "chunks"], "readwrite");
  const [models, manifests, chunks] = [change.objectStore("models"), change.objectStore("manifests"), change.objectStore("chunks")];
  const before = await models.get(model);
  await models.put({ model, digest });
  let dropped: Sha256[] = [];
  if (before && before.digest !== digest) {
    const inForce = new Set((await models.getAll()).map((row) => row.digest));
    const texts = await Promise.all([...inForce].map((one) => manifests.get(one)));
    const replaced = inForce.has(before.digest) ? undefined : await manifests.get(before.digest);
    dropped = chunksToDrop(manifestsOf([replaced?.text]), manifestsOf(texts.map((row) => row?.text)));
    for (const sha256 of dropped) void chunks.delete(sha256);
    if (replaced) void manifests.delete(before.digest);
  }
  await change.done;
  return dropped;
}

/** Their digests were checked when they were kept. */
const manifestsOf = (texts: readonly (string | undefined)[]): Manifest[] => texts.filter((text) => text !== undefined).map((text) => JSON.parse(text) as Manifest);

const reasonOf = (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
