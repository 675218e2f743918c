/**
 * What is cached for one tenant: an IndexedDB database of its own.
 *
 * - A chunk's record is written after its file is closed: no record, no chunk.
 * - A manifest is kept as the text whose SHA-256 the lease pinned; `models` names the digest of the revision that was last whole here.
 * - Nothing here is trusted: bytes are hashed again whenever they are used.
 */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { ModelId, Sha256 } from "../../schema/contract/ids.ts";
import type { Manifest } from "../../schema/contract/models.ts";
import { chunksToDrop } from "./keeping.ts";

interface ChunkRecord {
  readonly sha256: Sha256;
  readonly size: number;
  readonly usedAt: number;
  /** Left out by older code, which knew plain chunks only. */
  readonly isSealed?: boolean;
}

interface CatalogueSchema extends DBSchema {
  chunks: { key: Sha256; value: ChunkRecord; indexes: { usedAt: number } };
  manifests: { key: Sha256; value: { readonly digest: Sha256; readonly text: string } };
  models: { key: ModelId; value: { readonly model: ModelId; readonly digest: Sha256 } };
}

export type Catalogue = IDBPDatabase<CatalogueSchema>;

const VERSION = 1;

const catalogueName = (tenant: string) => `leasehold/${tenant}`;

/** Rejects where IndexedDB is refused. Another tab with older code may hold the database for as long as it lives. */
export function openCatalogue(tenant: string): Promise<Catalogue> {
  return openDB<CatalogueSchema>(catalogueName(tenant), VERSION, {
    upgrade(db) {
      db.createObjectStore("chunks", { keyPath: "sha256" }).createIndex("usedAt", "usedAt");
      db.createObjectStore("manifests", { keyPath: "digest" });
      db.createObjectStore("models", { keyPath: "model" });
    },
    // Newer code in another tab waits for this connection: let it pass; this page goes on without the catalogue.
    blocking(_current, _blocked, event) {
      (event.target as IDBDatabase).close();
    },
  });
}

/** One transaction: whoever looks sees the revision before with all its chunks, or the new one. Gives what it dropped. */
export async function switchRecords(catalogue: Catalogue, model: ModelId, digest: Sha256): Promise<Sha256[]> {
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
export const manifestsOf = (texts: readonly (string | undefined)[]): Manifest[] => texts.filter((text) => text !== undefined).map((text) => JSON.parse(text) as Manifest);
