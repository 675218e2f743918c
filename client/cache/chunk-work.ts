/**
 * What is done with a chunk's bytes: read, opened, checked, sealed, written. In a worker of its own (`chunk-link.ts`),
 * or in the page where no worker is to be had.
 *
 * - Nothing gives bytes that are not what the chunk's digest says; but whoever takes that digest itself may have what the
 *   seal alone has vouched for.
 * - What a call is given is the call's from then on; what it gives is the caller's.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk } from "../../schema/contract/models.ts";
import { timed } from "../timing.ts";
import type { ChunkFiles } from "./chunk-files.ts";
import { sha256Hex } from "./digest.ts";
import { type Bytes, openChunk, sealChunk, sealedBytes } from "./seal.ts";

/** What a file holds: the bytes as they are, or sealed with this key. */
export type Form = { readonly kind: "plain" } | { readonly kind: "sealed"; readonly key: CryptoKey };

export interface Opened {
  readonly bytes: Bytes;
  /** False where its SHA-256 is still to be taken. */
  readonly isVerified: boolean;
}

export interface Checked {
  readonly bytes: Bytes;
  /** A copy in the form that was asked for, to be written one after another. */
  readonly parts: readonly Bytes[];
}

export interface Written {
  /** Null where it is written. */
  readonly error: unknown;
  /** What was given, back again: there may be another attempt. */
  readonly parts: readonly Bytes[];
}

export interface ChunkWork {
  /** Null where there is no such file, or it does not hold the chunk. `mayBeDue`: what was sealed may come unverified. */
  open(chunk: Chunk, form: Form, mayBeDue: boolean): Promise<Opened | null>;
  /** Null where the bytes are not the chunk's; "lost" where nobody knows, and they are gone. */
  check(chunk: Chunk, bytes: Bytes, form: Form | null): Promise<Checked | "lost" | null>;
  write(sha256: Sha256, parts: readonly Bytes[]): Promise<Written>;
}

export class LocalChunkWork implements ChunkWork {
  readonly #files: ChunkFiles;
  readonly #tenant: string;

  constructor(files: ChunkFiles, tenant: string) {
    this.#files = files;
    this.#tenant = tenant;
  }

  async open(chunk: Chunk, form: Form, mayBeDue: boolean): Promise<Opened | null> {
    const found = await timed("chunk: read", () => this.#files.read(chunk.sha256, form.kind === "plain" ? chunk.size : sealedBytes(chunk.size)));
    return found && openBytes(chunk, found, form, this.#tenant, mayBeDue);
  }

  check(chunk: Chunk, bytes: Bytes, form: Form | null): Promise<Checked | null> {
    return checkBytes(chunk, bytes, form, this.#tenant);
  }

  async write(sha256: Sha256, parts: readonly Bytes[]): Promise<Written> {
    try {
      await timed("chunk: write", () => this.#files.write(sha256, parts));
      return { error: null, parts };
    } catch (error) {
      return { error, parts };
    }
  }
}

/** The chunk from what was kept of it, wherever that was, in that memory. `mayBeDue`: as in `ChunkWork.open`. */
export async function openBytes(chunk: Chunk, found: Bytes, form: Form, tenant: string, mayBeDue: boolean): Promise<Opened | null> {
  const bytes = form.kind === "sealed" ? await timed("chunk: decrypt", () => openChunk(form.key, tenant, chunk, found)) : found;
  const isVerified = form.kind === "plain" || !mayBeDue;
  return bytes && (!isVerified || (await isChunk(chunk, bytes))) ? { bytes, isVerified } : null;
}

/** As `ChunkWork.check`. */
export async function checkBytes(chunk: Chunk, bytes: Bytes, form: Form | null, tenant: string): Promise<Checked | null> {
  if (!(await isChunk(chunk, bytes))) return null;
  if (form === null) return { bytes, parts: [] };
  return { bytes, parts: form.kind === "plain" ? [bytes.slice()] : await timed("chunk: encrypt", () => sealChunk(form.key, tenant, chunk, bytes)) };
}

const isChunk = async ({ sha256, size }: Chunk, bytes: Bytes): Promise<boolean> => bytes.byteLength === size && (await timed("chunk: digest", () => sha256Hex(bytes))) === sha256;
