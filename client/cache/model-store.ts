/**
 * The weights of one tenant's models in this browser: chunks in OPFS, records in IndexedDB, both under the tenant.
 *
 * - Never fails for want of storage: what the disk refuses is kept in memory, and `place` says why. The disk is tried
 *   again for what comes half a minute later; what memory has goes there when it is next opened.
 * - Gives a chunk's bytes only where they are what its digest says, or to whoever takes that digest itself.
 * - A full disk costs the chunks that were used longest ago, those of models with an offline lease last; none that is held.
 * - `exclusively` lets one tab at a time work on a chunk, so that two tabs download it once.
 */
import type { ModelId, Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk } from "../../schema/contract/models.ts";
import { manifestsOf, switchRecords } from "./catalogue.ts";
import { isNamed } from "./chunk-files.ts";
import { checkBytes, type Form, openBytes, type Opened } from "./chunk-work.ts";
import { type Disk, DiskAccess, reasonOf } from "./disk.ts";
import { chunksToDrop, type Keeping } from "./keeping.ts";
import { Patience } from "./patience.ts";
import { type NeededOffline, Room } from "./room.ts";
import { type Bytes, sealedBytes } from "./seal.ts";
import { SharedProgress } from "./shared-progress.ts";

export type Place = { readonly kind: "disk" } | { readonly kind: "memory"; readonly reason: string };

export interface OpenedChunk extends Opened {
  /** Whether it lies as it is to be kept. */
  readonly isKeptSo: boolean;
}

export interface TakenChunk {
  /** In place of those that were given. */
  readonly bytes: Bytes;
  /** When it is kept; never rejects. */
  readonly kept: Promise<void>;
}

export interface ModelStore {
  readonly tenant: string;
  /** Where new chunks go. */
  readonly place: Place;
  readonly progress: SharedProgress;
  /** By name and length. */
  hasChunk(chunk: Chunk): Promise<boolean>;
  /**
   * Null where it is not here. What is damaged, or sealed for another key, is dropped. `mayBeDue`: what its seal vouches
   * for may come before its SHA-256 is taken.
   */
  openChunk(chunk: Chunk, keeping: Keeping, mayBeDue: boolean): Promise<OpenedChunk | null>;
  /** Checks the bytes, which are the store's from then on, and keeps a copy. Null where they are not the chunk's; "lost" where they are gone, whatever they were. */
  takeChunk(chunk: Chunk, bytes: Bytes, keeping: Keeping): Promise<TakenChunk | "lost" | null>;
  dropChunk(sha256: Sha256): Promise<void>;
  /** A model is going to be opened: what opens its chunks starts meanwhile. */
  prepare(): void;
  /** They don't give way to others until what this gives is called. */
  hold(chunks: readonly Chunk[]): () => void;
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

/** Another tab that hangs with a lock must not hang this one; one whose bytes come, however slowly, is waited for. */
const LOCK_PATIENCE_MS = 60_000;
/** The browser's count of what an origin takes lags behind, and others write as well: room is made more than once. */
const ROOM_ATTEMPTS = 3;

/** How long after it refused something the disk is tried again. */
const RETRY_MS = 30_000;

/** `retryMs`: for tests, which don't wait. */
export async function openModelStore(tenant: string, retryMs = RETRY_MS, neededOffline: NeededOffline = async () => []): Promise<ModelStore> {
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(tenant)) throw new RangeError("not a tenant id");
  return new TenantStore(tenant, await DiskAccess.open(tenant, retryMs), retryMs, new Room(neededOffline));
}

/** What the disk would not have, and when. */
interface Refusal {
  readonly reason: string;
  readonly atMs: number;
}

/** What memory has of a chunk. */
interface Kept {
  readonly blob: Blob;
  readonly isSealed: boolean;
}

class TenantStore implements ModelStore {
  readonly tenant: string;
  readonly progress: SharedProgress;
  readonly #access: DiskAccess;
  readonly #retryMs: number;
  readonly #room: Room;
  readonly #chunks = new Map<Sha256, Kept>();
  readonly #manifests = new Map<Sha256, string>();
  readonly #revisions = new Map<ModelId, Sha256>();
  #hasAsked = false;
  #refusal: Refusal | null = null;

  constructor(tenant: string, access: DiskAccess, retryMs: number, room: Room) {
    this.tenant = tenant;
    this.progress = new SharedProgress(tenant);
    this.#access = access;
    this.#retryMs = retryMs;
    this.#room = room;
  }

  get place(): Place {
    const reason = this.#access.trouble ?? this.#refusal?.reason;
    return reason === undefined ? { kind: "disk" } : { kind: "memory", reason };
  }

  /** Where what comes now is to be written; null where that is memory. */
  #diskFor({ mode }: Keeping): Disk | null {
    const { disk, trouble } = this.#access;
    const isRefused = trouble !== null || (this.#refusal !== null && performance.now() - this.#refusal.atMs < this.#retryMs);
    return mode === "none" || isRefused ? null : disk;
  }

  async hasChunk({ sha256, size }: Chunk): Promise<boolean> {
    if (this.#chunks.has(sha256)) return true;
    const file = await this.#fromDisk(async ({ files, catalogue }) => {
      const [record, found] = await Promise.all([catalogue.get("chunks", sha256), files.find(sha256)]);
      return record && found?.size === (record.isSealed ? sealedBytes(size) : size) ? found : null;
    });
    return file !== null;
  }

  async openChunk(chunk: Chunk, keeping: Keeping, mayBeDue: boolean): Promise<OpenedChunk | null> {
    const inMemory = this.#chunks.get(chunk.sha256);
    const record = inMemory ?? (await this.#fromDisk(async ({ catalogue }) => (await catalogue.get("chunks", chunk.sha256)) ?? null));
    if (!record) return null;
    const isSealed = record.isSealed ?? false;
    const form = formOf(isSealed, keeping);
    const opened = await (form && (inMemory ? openBytes(chunk, new Uint8Array(await inMemory.blob.arrayBuffer()), form, this.tenant, mayBeDue) : this.#fromDisk(({ work }) => work.open(chunk, form, mayBeDue))));
    if (opened) return { ...opened, isKeptSo: inMemory ? this.#diskFor(keeping) === null : keeping.mode !== "none" && isSealed === (keeping.mode === "encrypted") };
    await this.dropChunk(chunk.sha256);
    return null;
  }

  async takeChunk(chunk: Chunk, bytes: Bytes, keeping: Keeping): Promise<TakenChunk | "lost" | null> {
    const disk = this.#diskFor(keeping);
    const form = disk && formOf(keeping.mode === "encrypted", keeping);
    const worker = disk ?? this.#access.disk;
    const checked = await (worker ? worker.work.check(chunk, bytes, form) : checkBytes(chunk, bytes, form, this.tenant));
    if (checked === null || checked === "lost") return checked;
    if (disk) return { bytes: checked.bytes, kept: this.#write(disk, chunk, checked.parts, keeping.mode === "encrypted") };
    this.#chunks.set(chunk.sha256, { blob: new Blob([checked.bytes]), isSealed: false });
    return { bytes: checked.bytes, kept: Promise.resolve() };
  }

  async dropChunk(sha256: Sha256): Promise<void> {
    this.#chunks.delete(sha256);
    await this.#fromDisk(async ({ files, catalogue }) => {
      await catalogue.delete("chunks", sha256);
      await files.remove(sha256);
      return null;
    });
  }

  prepare(): void {
    this.#access.disk?.work.start();
  }

  hold(chunks: readonly Chunk[]): () => void {
    return this.#room.hold(chunks);
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
    if (this.#hasAsked || this.place.kind === "memory" || !navigator.userActivation?.hasBeenActive) return;
    this.#hasAsked = true;
    if (!(await navigator.storage.persisted())) await navigator.storage.persist();
  }

  async exclusively<T>(sha256: Sha256, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.place.kind === "memory" || !("locks" in navigator)) return work();
    const patience = new Patience(LOCK_PATIENCE_MS);
    const deaf = this.progress.listen((news) => news.sha256 === sha256 && patience.heard());
    let begun = false;
    try {
      return await navigator.locks.request(`leasehold/${this.tenant}/${sha256}`, { signal: AbortSignal.any([signal, patience.signal]) }, () => {
        begun = true;
        patience.end();
        return work();
      });
    } catch (error) {
      if (begun || signal.aborted || !patience.signal.aborted) throw error;
      return work();
    } finally {
      deaf();
      patience.end();
    }
  }

  close(): void {
    this.#access.close();
    this.progress.close();
    this.#chunks.clear();
  }

  /** Storage that fails in mid-life (cleared by the user, closed by the browser) counts as empty until it is opened anew. */
  async #fromDisk<T>(work: (disk: Disk) => Promise<T | null>): Promise<T | null> {
    const { disk } = this.#access;
    if (!disk) return null;
    try {
      return await work(disk);
    } catch (error) {
      this.#failed(disk, error);
      return null;
    }
  }

  /** A full disk is one that can be read; what else went wrong may be mended by opening it anew. */
  #failed(disk: Disk, error: unknown): void {
    if (isNamed(error, "QuotaExceededError")) this.#refusal = { reason: reasonOf(error), atMs: performance.now() };
    else this.#access.failed(disk, error);
  }

  /** File first, record second; either may find the disk full. What the disk won't have is kept in memory. */
  async #write(disk: Disk, { sha256, size }: Chunk, given: readonly Bytes[], isSealed: boolean): Promise<void> {
    const bytes = given.reduce((sum, { length }) => sum + length, 0);
    let parts = given;
    const write = async () => {
      const written = await disk.work.write(sha256, parts);
      parts = written.parts;
      if (written.error !== null) throw written.error;
      await disk.catalogue.put("chunks", { sha256, size, usedAt: Date.now(), isSealed });
    };
    try {
      await write().catch((error: unknown) => (isNamed(error, "QuotaExceededError") ? this.#room.inTurn(() => this.#writeInRoom(disk, bytes, write)) : Promise.reject(error as Error)));
      this.#refusal = null;
    } catch (error) {
      this.#failed(disk, error);
      if (parts.length > 0) this.#chunks.set(sha256, { blob: new Blob([...parts]), isSealed });
    }
  }

  /** The first time as it is: whoever had the turn before may have made room enough. */
  async #writeInRoom(disk: Disk, bytes: number, write: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await write();
      } catch (error) {
        const isFull = isNamed(error, "QuotaExceededError") && attempt <= ROOM_ATTEMPTS;
        if (!isFull || !(await this.#room.make(disk, attempt * bytes))) throw error;
      }
    }
  }
}

/** How what is kept so is opened; null where it can't be. */
function formOf(isSealed: boolean, keeping: Keeping): Form | null {
  if (!isSealed) return { kind: "plain" };
  return keeping.mode === "encrypted" ? { kind: "sealed", key: keeping.key } : null;
}
