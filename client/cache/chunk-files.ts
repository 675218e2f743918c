/**
 * Chunks as files in the origin-private file system, one folder a tenant, one file a digest.
 *
 * - `write` leaves the whole file or none.
 * - Rejects where the browser refuses storage (private window, quota, a browser without `createWritable`).
 */
import type { Sha256 } from "../../schema/contract/ids.ts";

export class ChunkFiles {
  readonly #folder: FileSystemDirectoryHandle;

  private constructor(folder: FileSystemDirectoryHandle) {
    this.#folder = folder;
  }

  static async open(tenant: string): Promise<ChunkFiles> {
    let folder = await navigator.storage.getDirectory();
    for (const name of ["leasehold", tenant, "chunks"]) folder = await folder.getDirectoryHandle(name, { create: true });
    return new ChunkFiles(folder);
  }

  /** The file's snapshot, or null where there is none. */
  async read(sha256: Sha256): Promise<File | null> {
    try {
      return await (await this.#folder.getFileHandle(sha256)).getFile();
    } catch (error) {
      if (isNamed(error, "NotFoundError")) return null;
      throw error;
    }
  }

  async write(sha256: Sha256, parts: readonly BufferSource[]): Promise<void> {
    const handle = await this.#folder.getFileHandle(sha256, { create: true });
    try {
      const stream = await handle.createWritable();
      try {
        for (const part of parts) await stream.write(part as FileSystemWriteChunkType);
        await stream.close();
      } catch (error) {
        // A stream that failed may refuse to be aborted; what matters is that the file goes.
        await stream.abort().catch(() => undefined);
        throw error;
      }
    } catch (error) {
      await this.remove(sha256);
      throw error;
    }
  }

  async names(): Promise<Sha256[]> {
    const names: Sha256[] = [];
    for await (const name of this.#folder.keys()) names.push(name as Sha256);
    return names;
  }

  async remove(sha256: Sha256): Promise<void> {
    try {
      await this.#folder.removeEntry(sha256);
    } catch (error) {
      if (!isNamed(error, "NotFoundError")) throw error;
    }
  }
}

export function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}
