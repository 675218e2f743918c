/**
 * The tenant's manifests in R2: how many there are, what they take of `storage_bytes`, and which of them nobody knows of.
 * Each method runs inside the object's transaction.
 *
 * - A manifest counts from before it is stored until its deletion is confirmed: in the row of its revision, or in that of
 *   its draft where there is no revision.
 * - A stray has neither row: its draft had been dropped, and its deletion confirmed, before the Worker stored it, and that
 *   Worker died before it came to say so. It can only come to be after a deletion: the prefix is listed `GRACE_MS` after
 *   one, and where there were others meanwhile, once more as long after.
 * - What was stored before manifests were counted is counted when it is listed.
 */
import { GRACE_MS } from "./collection-book.ts";
import type { DraftBook } from "./draft-book.ts";
import type { StoredManifest } from "../tenants/blobs.ts";
import type { Row, Store } from "./store.ts";

interface BytesRow extends Row {
  held: number | null;
  posted: number | null;
}

/** Where a listing that fails, or dies, is taken up again. */
const RETRY_MS = 3_600_000;

export class ManifestBook {
  readonly #store: Store;
  readonly #drafts: DraftBook;

  constructor(store: Store, drafts: DraftBook) {
    this.#store = store;
    this.#drafts = drafts;
  }

  /** `held`: of drafts whose manifest may be on its way; `posted`: of all others, those that are on their way out too. */
  bytes(): { held: number; posted: number } {
    return this.#store.recall("manifests", ["drafts", "revisions"], () => {
      const row = this.#store.first<BytesRow>(
        `SELECT sum(CASE WHEN dropping = 0 THEN bytes END) AS held, sum(CASE WHEN dropping <> 0 THEN bytes END) AS posted FROM (
           SELECT manifest_bytes AS bytes, 1 AS dropping FROM revisions UNION ALL
           SELECT manifest_bytes, dropping FROM drafts d WHERE NOT EXISTS (SELECT 1 FROM revisions r WHERE r.model = d.model AND r.revision = d.revision))`,
      );
      return { held: row?.held ?? 0, posted: row?.posted ?? 0 };
    });
  }

  /** How many there are of this model, and of the tenant. */
  counts(model: string): { ofModel: number; ofTenant: number } {
    const count = "SELECT count(*) AS n FROM (SELECT model, revision FROM revisions WHERE model = ?1 OR ?1 IS NULL UNION SELECT model, revision FROM drafts WHERE model = ?1 OR ?1 IS NULL)";
    const of = (one: string | null) => this.#store.first<{ n: number }>(count, one)?.n ?? 0;
    return { ofModel: of(model), ofTenant: of(null) };
  }

  isKnown(model: string, revision: string): boolean {
    return this.#store.first("SELECT 1 AS one FROM revisions WHERE model = ?1 AND revision = ?2 UNION ALL SELECT 1 FROM drafts WHERE model = ?1 AND revision = ?2", model, revision) !== null;
  }

  /** A deletion was confirmed: a put that comes after it is a stray. */
  expect(now: number): void {
    this.#store.run("UPDATE collection SET manifests_again = (manifests_due_at IS NOT NULL), manifests_due_at = coalesce(manifests_due_at, ?)", now + GRACE_MS);
  }

  dueAt(): number | null {
    return this.#store.first<{ at: number | null }>("SELECT manifests_due_at AS at FROM collection")?.at ?? null;
  }

  beginListing(now: number): void {
    this.#store.run("UPDATE collection SET manifests_due_at = ?", now + RETRY_MS);
  }

  endListing(now: number): void {
    this.#store.run("UPDATE collection SET manifests_due_at = CASE manifests_again WHEN 0 THEN NULL ELSE ? END, manifests_again = 0", now + GRACE_MS);
  }

  /** Of what was listed, counts what was not counted yet, and gives up what is a stray. Gives how many are. */
  take(listed: readonly StoredManifest[], now: number): number {
    let strays = 0;
    for (const { model, revision, bytes, storedAt } of listed) {
      this.#count("revisions", model, revision, bytes);
      this.#count("drafts", model, revision, bytes);
      if (storedAt > now - GRACE_MS || this.isKnown(model, revision)) continue;
      this.#drafts.disown({ model, revision, manifestBytes: bytes });
      strays += 1;
    }
    return strays;
  }

  #count(table: "revisions" | "drafts", model: string, revision: string, bytes: number): void {
    if (this.#store.first(`SELECT 1 AS one FROM ${table} WHERE model = ? AND revision = ? AND manifest_bytes = 0`, model, revision) === null) return;
    this.#store.run(`UPDATE ${table} SET manifest_bytes = ? WHERE model = ? AND revision = ?`, bytes, model, revision);
  }
}
