/**
 * Open drafts: revisions that were begun and are not committed. Each method runs inside the object's transaction.
 *
 * - A draft is noted before its manifest is stored, and forgotten after the manifest is gone: nothing of it stays behind
 *   in R2 that no row knows of. Between the two it is `dropping`, and can't be begun again.
 * - One that got no blob for `KEEP_MS` is dropped. Its blobs are the tenant's, and stay.
 * - A model that has drafts alone, open or committed, counts against `model_quota` as held.
 */
import { refuse } from "./result.ts";
import type { Row, Store } from "./store.ts";

export interface Draft extends Row {
  model: string;
  revision: string;
}

export const MAX_DRAFTS = 32;
const KEEP_MS = 24 * 3_600_000;
/** A draft's time is written anew at most once in this. */
const TOUCH_MS = 3_600_000;

export class DraftBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Notes the draft, or that it was begun again. The caller has asked `model_quota`. */
  open({ model, revision }: Draft, now: number): ReturnType<typeof refuse> | null {
    const known = this.#store.first<{ dropping: number }>("SELECT dropping FROM drafts WHERE model = ? AND revision = ?", model, revision);
    if (known?.dropping) return refuse("conflict", "This draft got no blob for a day and is being dropped. Begin it again in a minute.");
    if (!known && this.#count() >= MAX_DRAFTS) return refuse("conflict", `A tenant may have ${MAX_DRAFTS} open drafts and has them. Commit one; a draft that gets no blob for a day is dropped.`);
    this.#store.run("INSERT INTO drafts (model, revision, touched_at) VALUES (?, ?, ?) ON CONFLICT (model, revision) DO UPDATE SET touched_at = excluded.touched_at", model, revision, now);
    return null;
  }

  /** A blob was stored: the drafts that name it live on. */
  touch(digest: string, now: number): void {
    this.#store.run(
      `UPDATE drafts SET touched_at = ? WHERE touched_at < ? AND dropping = 0
         AND EXISTS (SELECT 1 FROM chunks c WHERE c.model = drafts.model AND c.revision = drafts.revision AND c.sha256 = ?)`,
      now, now - TOUCH_MS, digest,
    );
  }

  /** The draft was committed, or its manifest is gone. */
  close({ model, revision }: Draft): void {
    this.#store.run("DELETE FROM drafts WHERE model = ? AND revision = ?", model, revision);
  }

  /** Drops what is too old, but for the manifests: those of the drafts that it answers are the caller's to delete. */
  dropOld(now: number): Draft[] {
    this.#store.run("UPDATE drafts SET dropping = 1 WHERE touched_at <= ?", now - KEEP_MS);
    const drafts = this.#store.all<Draft>("SELECT model, revision FROM drafts WHERE dropping = 1");
    for (const { model, revision } of drafts) {
      this.#store.run("DELETE FROM chunks WHERE model = ? AND revision = ?", model, revision);
      this.#store.run("DELETE FROM revisions WHERE model = ? AND revision = ?", model, revision);
    }
    return drafts;
  }

  nextDrop(): number | null {
    const oldest = this.#store.first<{ at: number | null }>("SELECT min(touched_at) AS at FROM drafts")?.at;
    return oldest == null ? null : oldest + KEEP_MS;
  }

  /** Models that have drafts, open or committed, and no live revision, `model` left out. */
  models(model = ""): number {
    const row = this.#store.first<{ n: number }>(
      "SELECT count(*) AS n FROM (SELECT model FROM drafts UNION SELECT model FROM revisions) WHERE model <> ? AND model NOT IN (SELECT model FROM models)",
      model,
    );
    return row?.n ?? 0;
  }

  #count(): number {
    return this.#store.first<{ n: number }>("SELECT count(*) AS n FROM drafts")?.n ?? 0;
  }
}
