/**
 * Chunks as files in the origin-private file system, one folder a tenant, one file a digest.
 *
 * - `write` leaves the whole file, or one that no record names and that is swept away later.
 * - In a worker files are read and written at once, where the browser can: through a page they go by way of other processes.
 * - A file that another tab has in its hands just then is neither written nor removed: by its name it is the same there.
 *   One that another tab removes between two steps is not there, and is written anew.
 * - Rejects where the browser refuses storage (private window, quota; in a page, a browser without `createWritable`).
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Bytes } from "./seal.ts";

interface OpenFile {
  getSize(): number;
  read(into: Bytes, options: { at: number }): number;
  write(bytes: Bytes, options: { at: number }): number;
  truncate(size: number): void;
  close(): void;
}

/** `createSyncAccessHandle`, which pages lack, as the newest browsers have it: many may read at a time. */
interface WorkerFileHandle {
  createSyncAccessHandle?(options?: { mode: "read-only" | "readwrite" }): Promise<OpenFile>;
}

/** No chunk's name, and nobody else's: what WebKitGTK has refused once is another error from then on. */
type Probe = `can-open-at-once-${string}`;

export class ChunkFiles {
  readonly #folder: FileSystemDirectoryHandle;
  #canWriteAtOnce: Promise<boolean> | null = null;

  private constructor(folder: FileSystemDirectoryHandle) {
    this.#folder = folder;
  }

  static async open(tenant: string): Promise<ChunkFiles> {
    let folder = await navigator.storage.getDirectory();
    for (const name of ["leasehold", tenant, "chunks"]) folder = await folder.getDirectoryHandle(name, { create: true });
    return new ChunkFiles(folder);
  }

  /** The file's snapshot, or null where there is none. */
  async find(sha256: Sha256): Promise<File | null> {
    const handle = await this.#handle(sha256);
    return handle && unlessGone(() => handle.getFile());
  }

  /** Its bytes; null where there is none of this length. */
  async read(sha256: Sha256, size: number): Promise<Bytes | null> {
    const handle = await this.#handle(sha256);
    const open = handle && (await openAtOnce(handle, "read-only"));
    if (open) {
      try {
        if (open.getSize() !== size) return null;
        const bytes = new Uint8Array(size);
        return open.read(bytes, { at: 0 }) === size ? bytes : null;
      } finally {
        open.close();
      }
    }
    const file = handle && (await unlessGone(() => handle.getFile()));
    if (file?.size !== size) return null;
    return file.arrayBuffer().then((buffer) => new Uint8Array(buffer), () => null); // a file changed under its snapshot can't be read
  }

  async write(sha256: Sha256, parts: readonly Bytes[]): Promise<void> {
    try {
      const isThere = (await this.#put(sha256, parts)) ?? (await this.#put(sha256, parts));
      if (!isThere) throw new DOMException("The file was removed while it was written.", "NotFoundError");
    } catch (error) {
      if (isInUse(error)) return;
      await this.remove(sha256);
      throw error;
    }
  }

  /** Null where the file was removed meanwhile. */
  async #put(sha256: Sha256, parts: readonly Bytes[]): Promise<true | null> {
    const handle = await this.#folder.getFileHandle(sha256, { create: true });
    this.#canWriteAtOnce ??= this.#probe();
    const isAtOnce = await this.#canWriteAtOnce;
    return unlessGone(async (): Promise<true> => {
      const open = isAtOnce ? await openAtOnce(handle, "readwrite") : null;
      await (open ? writeAtOnce(open, parts) : writeInTurn(handle, parts));
      return true;
    });
  }

  /** WebKitGTK has the function and nothing behind it, and what it refused to open stays locked: so no chunk is tried. */
  async #probe(): Promise<boolean> {
    if (!("createSyncAccessHandle" in FileSystemFileHandle.prototype)) return false;
    const probe: Probe = `can-open-at-once-${crypto.randomUUID()}`;
    try {
      (await openAtOnce(await this.#folder.getFileHandle(probe, { create: true }), "readwrite"))?.close();
      return true;
    } catch (error) {
      return !isNamed(error, "NotSupportedError"); // any other is the chunk's to tell
    } finally {
      await this.remove(probe).catch(() => undefined); // swept away later
    }
  }

  async names(): Promise<Sha256[]> {
    const names: Sha256[] = [];
    for await (const name of this.#folder.keys()) names.push(name as Sha256);
    return names;
  }

  async remove(name: Sha256 | Probe): Promise<void> {
    try {
      await this.#folder.removeEntry(name);
    } catch (error) {
      if (!isNamed(error, "NotFoundError") && !isNamed(error, "NoModificationAllowedError")) throw error;
    }
  }

  async #handle(sha256: Sha256): Promise<FileSystemFileHandle | null> {
    return unlessGone(() => this.#folder.getFileHandle(sha256));
  }
}

async function unlessGone<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (isNamed(error, "NotFoundError")) return null;
    throw error;
  }
}

/** Null in a page, in browsers that can't, and for reading where another tab has the file for itself. */
async function openAtOnce(handle: FileSystemFileHandle & WorkerFileHandle, mode: "read-only" | "readwrite"): Promise<OpenFile | null> {
  try {
    return (await handle.createSyncAccessHandle?.({ mode })) ?? null;
  } catch (error) {
    if (mode === "read-only" && (isInUse(error) || isNamed(error, "NotFoundError") || isNamed(error, "NotSupportedError"))) return null; // the slow way sees which
    throw error;
  }
}

function writeAtOnce(open: OpenFile, parts: readonly Bytes[]): void {
  try {
    open.truncate(0);
    let at = 0;
    for (const part of parts) {
      const written = open.write(part, { at });
      if (written !== part.length) throw new DOMException("The file took less than it was given.", "QuotaExceededError");
      at += written;
    }
  } finally {
    open.close();
  }
}

async function writeInTurn(handle: FileSystemFileHandle, parts: readonly Bytes[]): Promise<void> {
  const stream = await handle.createWritable();
  try {
    for (const part of parts) await stream.write(part);
    await stream.close();
  } catch (error) {
    // A stream that failed may refuse to be aborted; what matters is that the file goes.
    await stream.abort().catch(() => undefined);
    throw error;
  }
}

/** By another tab, in the words of Chromium and Firefox, or in WebKit's. */
const isInUse = (error: unknown): boolean => isNamed(error, "NoModificationAllowedError") || isNamed(error, "InvalidStateError");

export function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}
