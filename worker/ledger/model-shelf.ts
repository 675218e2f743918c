/**
 * The tenant's models: drafts, the revisions of each with their stages and chunks, and which blobs are stored. Bytes and
 * manifests are in R2.
 *
 * - An upload holds its bytes of `storage_bytes` from its admission to its record; one that is never recorded gives them
 *   back after `UPLOAD_MS`.
 */
import type { Base, Model, Prices, UsageMeasure } from "../../schema/contract/models.ts";
import { type ModelId, type RevisionId, type Sha256, sortableId } from "../../schema/contract/ids.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import { CollectionBook, GRACE_MS } from "./collection-book.ts";
import { DraftBook } from "./draft-book.ts";
import { ManifestBook } from "./manifest-book.ts";
import { RemovalBook } from "./removal-book.ts";
import { RolloutBook, type Staged, toCanary } from "./rollout-book.ts";
import { jsonPieces } from "./pieces.ts";
import type { Row, Store } from "./store.ts";

/** What the object keeps of a revision; its chunks stand in the manifest. */
export interface RevisionFacts {
  readonly task: Model["task"];
  readonly usage: UsageMeasure;
  readonly prices: Prices;
  readonly sizeBytes: number;
  readonly variants: Model["variants"];
  /** It was let through with control flow. */
  readonly controlFlow?: true;
  /** What of the operator's catalogue it is, or stands on. */
  readonly base?: Base;
  /** It is its base as it is, not derived from it. */
  readonly granted?: true;
}

export interface Revision {
  readonly model: ModelId;
  readonly revision: RevisionId;
  readonly manifestSha256: Sha256;
  readonly manifestBytes: number;
  readonly facts: RevisionFacts;
  readonly publishedAt: number | null;
}

interface RevisionRow extends Row {
  model: string;
  revision: string;
  manifest_sha256: string;
  manifest_bytes: number;
  facts: string;
  published_at: number | null;
}

/** An upload takes seconds: the bytes have arrived whole when it begins, and go to R2 from there. */
const UPLOAD_MS = 600_000;
const TOUCH_MS = 3_600_000;

const fromRow = (row: RevisionRow): Revision => ({
  model: row.model as ModelId,
  revision: row.revision as RevisionId,
  manifestSha256: row.manifest_sha256 as Sha256,
  manifestBytes: row.manifest_bytes,
  facts: JSON.parse(row.facts) as RevisionFacts,
  publishedAt: row.published_at,
});

const LIVE = `SELECT r.model, r.revision, r.manifest_sha256, r.manifest_bytes, r.facts, m.published_at
  FROM models m JOIN revisions r ON r.model = m.model AND r.revision = m.revision`;

const IS_LENT = `(r.facts ->> '$.base.model' IS NULL
  OR EXISTS (SELECT 1 FROM lent l WHERE l.model = r.facts ->> '$.base.model' AND l.revision = r.facts ->> '$.base.revision'))`;

export class ModelShelf {
  readonly drafts: DraftBook;
  readonly rollouts: RolloutBook;
  readonly collections: CollectionBook;
  readonly removals: RemovalBook;
  readonly manifests: ManifestBook;
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
    this.drafts = new DraftBook(store);
    this.rollouts = new RolloutBook(store);
    this.collections = new CollectionBook(store);
    this.removals = new RemovalBook(store);
    this.manifests = new ManifestBook(store, this.drafts);
  }

  /** Chunks of this revision that are to be stored yet. */
  missing(model: string, revision: string): Sha256[] {
    return this.unfit(model, revision).flatMap(({ sha256, stored }) => (stored === null ? [sha256 as Sha256] : []));
  }

  /** A revision is named by its content: the same one again is the same draft. `sizes`: its chunks. */
  begin(revision: Omit<Revision, "publishedAt">, sizes: Readonly<Record<string, number>>, now: number): void {
    this.#store.run(
      "INSERT INTO revisions (model, revision, manifest_sha256, manifest_bytes, facts, created_at, since) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (model, revision) DO NOTHING",
      revision.model, revision.revision, revision.manifestSha256, revision.manifestBytes, JSON.stringify(revision.facts), now, now,
    );
    for (const piece of jsonPieces(sizes)) {
      this.#store.run(
        "INSERT INTO chunks (model, revision, sha256, size) SELECT ?, ?, key, value FROM json_each(?) WHERE true ON CONFLICT (model, revision, sha256) DO NOTHING",
        revision.model, revision.revision, piece,
      );
    }
  }

  /** Size of a chunk of this revision; null where the revision has no such chunk. */
  chunkSize(model: string, revision: string, digest: string): number | null {
    return this.#store.first<{ size: number }>("SELECT size FROM chunks WHERE model = ? AND revision = ? AND sha256 = ?", model, revision, digest)?.size ?? null;
  }

  /** Every chunk of this revision with its size. */
  chunksOf(model: string, revision: string): Record<Sha256, number> {
    const rows = this.#store.all<{ sha256: string; size: number }>("SELECT sha256, size FROM chunks WHERE model = ? AND revision = ?", model, revision);
    return Object.fromEntries(rows.map(({ sha256, size }) => [sha256, size]));
  }

  /** Chunks of this revision that are neither stored nor lent with its base (`stored` null), or not as large as the manifest says. */
  unfit(model: string, revision: string): { sha256: string; size: number; stored: number | null }[] {
    const base = this.find(model, revision)?.facts.base;
    return this.#store.all<{ sha256: string; size: number; stored: number | null }>(
      `SELECT c.sha256, c.size, coalesce(b.size, l.size) AS stored FROM chunks c
       LEFT JOIN blobs b ON b.sha256 = c.sha256 LEFT JOIN lent_chunks l ON l.model = ? AND l.revision = ? AND l.sha256 = c.sha256
       WHERE c.model = ? AND c.revision = ? AND coalesce(b.size, l.size) IS NOT c.size`,
      base?.model ?? "", base?.revision ?? "", model, revision,
    );
  }

  find(model: string, revision: string): Revision | null {
    const row = this.#store.first<RevisionRow>("SELECT model, revision, manifest_sha256, manifest_bytes, facts, published_at FROM revisions WHERE model = ? AND revision = ?", model, revision);
    return row && fromRow(row);
  }

  live(model: string): Revision | null {
    return this.#store.recall(`live ${model}`, ["models", "revisions"], () => {
      const row = this.#store.first<RevisionRow>(`${LIVE} WHERE m.model = ?`, model);
      return row && fromRow(row);
    });
  }

  /** Models that can be had: not those that stand on what is not lent any more. */
  list(after: string, limit: number): Revision[] {
    return this.#store.all<RevisionRow>(`${LIVE} WHERE m.model > ? AND ${IS_LENT} ORDER BY m.model LIMIT ?`, after, limit).map(fromRow);
  }

  count(): number {
    return this.#store.first<{ n: number }>("SELECT count(*) AS n FROM models")?.n ?? 0;
  }

  /** Models of `model_quota`: `posted` have a live revision, `held` have none yet. */
  models(): { held: number; posted: number } {
    return this.#store.recall("models", ["models", "drafts", "revisions"], () => ({ held: this.drafts.models(), posted: this.count() }));
  }

  /** Bytes of `storage_bytes`, of blobs and manifests: `posted` are stored, or not gone yet; `held` are on their way. */
  storage(now: number): { held: number; posted: number } {
    const posted = this.#store.recall("stored bytes", ["blobs"], () => this.#store.first<{ n: number | null }>("SELECT sum(size) AS n FROM blobs")?.n ?? 0);
    const { held } = this.#store.recall("uploads", ["uploads"], () => this.#uploads(now), ({ since, until }) => since <= now && now < until);
    const manifests = this.manifests.bytes();
    return { held: held + manifests.held, posted: posted + this.collections.bytes() + manifests.posted };
  }

  /** What uploads hold from `since` until the first of them has lost its hold. */
  #uploads(now: number): { held: number; since: number; until: number } {
    const row = this.#store.first<{ held: number | null; until: number | null }>("SELECT sum(size) AS held, min(expires_at) AS until FROM uploads WHERE expires_at > ?", now);
    return { held: row?.held ?? 0, since: now, until: row?.until ?? Number.POSITIVE_INFINITY };
  }

  /** Whether an upload of this blob holds its bytes. */
  isUploading(digest: string, now: number): boolean {
    return this.#store.first("SELECT 1 AS one FROM uploads WHERE sha256 = ? AND expires_at > ?", digest, now) !== null;
  }

  /** Uploads of one blob at once share their place; the first record is for all. Gives the name of the upload. */
  holdUpload(digest: string, size: number, now: number): string {
    this.collections.expireUploads(now, digest);
    this.collections.letOff(digest);
    const admission = this.#store.first<{ admission: string }>("SELECT admission FROM uploads WHERE sha256 = ?", digest)?.admission ?? `adm_${sortableId(now)}`;
    this.#store.run(
      "INSERT INTO uploads (sha256, size, expires_at, admission) VALUES (?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE SET expires_at = excluded.expires_at",
      digest, size, now + UPLOAD_MS, admission,
    );
    return admission;
  }

  /** Whether what was put under this upload is there: nothing has taken it away since. */
  holdsUpload(digest: string, admission: string): boolean {
    return this.#store.first("SELECT 1 AS one FROM uploads WHERE sha256 = ? AND admission = ?", digest, admission) !== null;
  }

  sizeOf(digest: string): number | null {
    return this.#store.first<{ size: number }>("SELECT size FROM blobs WHERE sha256 = ?", digest)?.size ?? null;
  }

  record(digest: string, size: number, now: number): void {
    this.#store.run("DELETE FROM uploads WHERE sha256 = ?", digest);
    this.#store.run("INSERT INTO blobs (sha256, size, stored_at) VALUES (?, ?, ?) ON CONFLICT (sha256) DO NOTHING", digest, size, now);
    this.collections.expect(now + GRACE_MS);
    this.drafts.touch(digest, now);
  }

  /** It was sent again: its grace time begins anew. Written at most once an hour. */
  touch(digest: string, now: number): void {
    this.#store.run("UPDATE blobs SET stored_at = ? WHERE sha256 = ? AND stored_at < ?", now, digest, now - TOUCH_MS);
  }
}

/** The live revision as the API shows it, with the prices that are in force, the canary beside it and what waits for its end. */
export function toModel(revision: Revision, prices: Prices, canary: Staged | null, waiting: RevisionId | null): Model {
  return {
    id: revision.model,
    task: revision.facts.task,
    revision: revision.revision,
    manifest_sha256: revision.manifestSha256,
    usage: revision.facts.usage,
    prices,
    size_bytes: revision.facts.sizeBytes,
    variants: revision.facts.variants,
    published_at: toTimestamp(revision.publishedAt ?? 0),
    canary: canary && toCanary(canary),
    waiting,
  };
}
