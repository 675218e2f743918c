/**
 * A tenant's disk in this browser: its folder, its database, and the worker that works on the chunks in there.
 *
 * - `open` waits `OPEN_MS` at most: another tab with older code may hold the database for as long as it lives. One that
 *   opens later is taken when it does.
 * - A disk that fails in mid-life (cleared by the person, given way to newer code) is opened anew, by a use `retryMs`
 *   later at the earliest and beside it; until then whoever uses it gets its errors.
 */
import { type Catalogue, openCatalogue } from "./catalogue.ts";
import { ChunkFiles } from "./chunk-files.ts";
import { ChunkLink } from "./chunk-link.ts";

export interface Disk {
  readonly files: ChunkFiles;
  readonly catalogue: Catalogue;
  readonly work: ChunkLink;
}

const OPEN_MS = 3000;

export class DiskAccess {
  readonly #tenant: string;
  readonly #retryMs: number;
  #disk: Disk | null = null;
  /** Why there is none, or what is wrong with it; null where nothing is. */
  #trouble: string | null = null;
  #failedMs = 0;
  #opening: Promise<void> | null = null;
  #isClosed = false;

  private constructor(tenant: string, retryMs: number) {
    this.#tenant = tenant;
    this.#retryMs = retryMs;
  }

  static async open(tenant: string, retryMs: number): Promise<DiskAccess> {
    const access = new DiskAccess(tenant, retryMs);
    access.#trouble = "the database did not open in time";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, OPEN_MS);
    });
    await Promise.race([access.#open(), late]);
    clearTimeout(timer);
    return access;
  }

  /** Null where there is none. */
  get disk(): Disk | null {
    if (this.#trouble !== null && performance.now() - this.#failedMs >= this.#retryMs) void this.#open();
    return this.#disk;
  }

  get trouble(): string | null {
    return this.#trouble;
  }

  failed(disk: Disk, error: unknown): void {
    if (disk !== this.#disk) return; // another one has taken its place
    this.#trouble = reasonOf(error);
    this.#failedMs = performance.now();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#disk) closeDisk(this.#disk);
  }

  /** One at a time. Never rejects. */
  #open(): Promise<void> {
    this.#opening ??= this.#take().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #take(): Promise<void> {
    try {
      const disk = await openDisk(this.#tenant);
      if (this.#isClosed) return closeDisk(disk); // it would hold newer code up
      this.#disk?.catalogue.close(); // its worker ends what it has in hand, and then by itself
      this.#disk = disk;
      this.#trouble = null;
    } catch (error) {
      this.#trouble = reasonOf(error);
      this.#failedMs = performance.now();
    }
  }
}

async function openDisk(tenant: string): Promise<Disk> {
  const opening = openCatalogue(tenant);
  opening.catch(() => undefined); // told where it is waited for, which may be later
  try {
    const files = await ChunkFiles.open(tenant);
    return { files, catalogue: await opening, work: new ChunkLink(files, tenant) };
  } catch (error) {
    opening.then((catalogue) => catalogue.close(), () => undefined); // a database without its files is of no use
    throw error;
  }
}

function closeDisk({ catalogue, work }: Disk): void {
  catalogue.close();
  work.close();
}

export const reasonOf = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
