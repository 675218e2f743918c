/**
 * Checks the SHA-256 that a manifest states of whole files against the chunks that are stored. Each chunk has the digest
 * that names it, by how it was stored; that they make the file that was meant, only the whole says.
 *
 * - A file of one chunk has that chunk's digest, or its revision was never begun. A file that states none is nobody's.
 * - One chunk is in memory at a time, and the beginning of the next.
 * - `known`: files that were checked before, as those of a base.
 */
import { createHash } from "node:crypto";
import type { ModelFile, Variant } from "../../schema/contract/models.ts";
import type { ChunkStore } from "./inspect.ts";

export interface WrongFile {
  readonly path: string;
  readonly stated: string;
  readonly actual: string;
}

export interface Amount {
  readonly bytes: number;
  readonly chunks: number;
}

/** What one commit reads of a revision: a Worker's request has so much time, and 10,000 reads of R2 (an inspection takes up to 2,000), and begins anew with each. */
export const MOST_HASHED: Amount = { bytes: 8 * 1024 ** 3, chunks: 7_500 };

/** What of a revision is to be read for its digests. */
export function amountToHash(variants: readonly Variant[], known: readonly Variant[]): Amount {
  const files = toHash(variants, known);
  return { bytes: files.reduce((sum, { size }) => sum + size, 0), chunks: files.reduce((sum, { chunks }) => sum + chunks.length, 0) };
}

/** The first that is another; null where all are what the manifest says. */
export async function wrongFileOf(variants: readonly Variant[], known: readonly Variant[], blobs: ChunkStore): Promise<WrongFile | null> {
  for (const { path, sha256: stated, chunks } of toHash(variants, known)) {
    const actual = await digestOf({ path, chunks }, blobs);
    if (actual !== stated) return { path, stated, actual };
  }
  return null;
}

/** Each content once. */
function toHash(variants: readonly Variant[], known: readonly Variant[]): (ModelFile & { readonly sha256: string })[] {
  const checked = new Set(known.flatMap(({ files }) => files).map(contentOf));
  return variants.flatMap(({ files }) => files).flatMap((file) => {
    const { sha256 } = file;
    if (sha256 === undefined || file.chunks.length === 1 || checked.has(contentOf(file))) return [];
    checked.add(contentOf(file));
    return [{ ...file, sha256 }];
  });
}

const contentOf = ({ sha256, chunks }: ModelFile): string => JSON.stringify([sha256, chunks.map((chunk) => chunk.sha256)]);

async function digestOf({ path, chunks }: Pick<ModelFile, "path" | "chunks">, blobs: ChunkStore): Promise<string> {
  const hash = createHash("sha256");
  const open = (index: number) => {
    const chunk = chunks[index];
    return chunk ? blobs.getBlob(chunk.sha256) : Promise.resolve(null);
  };
  let next = open(0);
  for (let index = 0; index < chunks.length; index++) {
    const body = await next;
    if (!body) throw new Error(`the store has lost a chunk of ${path}`);
    next = open(index + 1); // its first bytes come while these do
    next.catch(() => undefined); // told when it is waited for
    // A chunk at once: by workerd's parts of 4 KiB it would take three times the CPU, and a large model more than there is.
    hash.update(new Uint8Array(await new Response(body).arrayBuffer()));
  }
  return hash.digest("hex");
}
