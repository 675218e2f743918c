/**
 * Open drafts: revisions that were begun and are not committed; and manifests that are to go. Each method runs inside the
 * object's transaction.
 *
 * - A draft is noted before its manifest is stored, and forgotten after the manifest is gone: nothing of it stays behind
 *   in R2 that no row knows of. Between the two it is dropping, and can't be begun again. So is a revision that was deleted.
 * - A deletion is confirmed by whoever sent it last: `dropping` is when it may be sent again, and names the sending. It is
 *   written just before the sending, so that no deletion is under way after that time.
 * - `open` names the making of the draft: what is begun under it holds only while that draft is there, not one that was
 *   made again after it.
 * - One that got no blob for `KEEP_MS` is dropped.
 * - A model that has drafts alone, open or committed, counts against `model_quota` as held.
 */
import { sortableId } from "../../schema/contract/ids.ts";
import { LINGER_MS } from "./collection-book.ts";
import { type Result, done, refuse } from "./result.ts";
import type { Row, Store } from "./store.ts";

export interface Draft extends Row {
  model: string;
  revision: string;
}

/** A draft whose manifest is stored, or about to be. */
export interface Begun {
  readonly model: string;
  readonly revision: string;
  readonly manifestBytes: number;
}

/** Manifests whose deletion is sent, and the time that `dropping` was set to. */
export interface Sent {
  readonly drafts: readonly Draft[];
  readonly until: number;
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

  /** Notes the draft, or that it was begun again. Gives the name of its making. The caller has asked its limits. */
  open({ model, revision, manifestBytes }: Begun, now: number): Result<string> {
    const known = this.#store.first<{ dropping: number; admission: string }>("SELECT dropping, admission FROM drafts WHERE model = ? AND revision = ?", model, revision);
    if (known?.dropping) return refuse("conflict", "This revision is being deleted. Begin it again in a minute.");
    if (!known && this.#count() >= MAX_DRAFTS) return refuse("conflict", `A tenant may have ${MAX_DRAFTS} open drafts and has them. Commit one; a draft that gets no blob for a day is dropped.`);
    const admission = known?.admission ?? `adm_${sortableId(now)}`;
    this.#store.run(
      "INSERT INTO drafts (model, revision, touched_at, admission, manifest_bytes) VALUES (?, ?, ?, ?, ?) ON CONFLICT (model, revision) DO UPDATE SET touched_at = excluded.touched_at",
      model, revision, now, admission, manifestBytes,
    );
    return done(admission);
  }

  /** Whether the draft is still the one of that making. */
  holds({ model, revision }: Readonly<Record<"model" | "revision", string>>, admission: string): boolean {
    return this.#store.first("SELECT 1 AS one FROM drafts WHERE model = ? AND revision = ? AND admission = ? AND dropping = 0", model, revision, admission) !== null;
  }

  /** A blob was stored: the drafts that name it live on. */
  touch(digest: string, now: number): void {
    this.#store.run(
      `UPDATE drafts SET touched_at = ? WHERE touched_at < ? AND dropping = 0
         AND EXISTS (SELECT 1 FROM chunks c WHERE c.model = drafts.model AND c.revision = drafts.revision AND c.sha256 = ?)`,
      now, now - TOUCH_MS, digest,
    );
  }

  /** The draft was committed. */
  close({ model, revision }: Draft): void {
    this.#store.run("DELETE FROM drafts WHERE model = ? AND revision = ?", model, revision);
  }

  /** Drops what is too old, but for the manifests. Gives how many. */
  dropOld(now: number): number {
    const old = this.#store.all<Draft>("SELECT model, revision FROM drafts WHERE dropping = 0 AND touched_at <= ?", now - KEEP_MS);
    for (const draft of old) this.drop(draft);
    return old.length;
  }

  /** The draft or revision is no more; its manifest is to go. */
  drop({ model, revision }: Draft): void {
    this.#store.run(
      `INSERT INTO drafts (model, revision, touched_at, dropping, manifest_bytes) VALUES (?1, ?2, 0, 1, coalesce((SELECT manifest_bytes FROM revisions WHERE model = ?1 AND revision = ?2), 0))
         ON CONFLICT (model, revision) DO UPDATE SET touched_at = 0, dropping = 1`,
      model, revision,
    );
    this.#store.run("DELETE FROM chunks WHERE model = ? AND revision = ?", model, revision);
    this.#store.run("DELETE FROM revisions WHERE model = ? AND revision = ?", model, revision);
  }

  /**
   * Its manifest was stored, and it was not begun: the manifest goes, unless a draft or a revision is there by now, whose
   * it is as well. A deletion that is under way may have overtaken it: that one confirms nothing any more.
   */
  disown({ model, revision, manifestBytes }: Begun): void {
    this.#store.run(
      `INSERT INTO drafts (model, revision, touched_at, dropping, manifest_bytes) SELECT ?1, ?2, 0, 1, ?3 WHERE NOT EXISTS (SELECT 1 FROM revisions WHERE model = ?1 AND revision = ?2)
         ON CONFLICT (model, revision) DO UPDATE SET dropping = dropping + 1 WHERE dropping > 0`,
      model, revision, manifestBytes,
    );
  }

  /** Some manifests whose deletion is to be sent now; it is sent again in `LINGER_MS` where it is not confirmed. */
  takeDropping(now: number, limit: number): Sent {
    const until = now + LINGER_MS;
    const drafts = this.#store.all<Draft>("SELECT model, revision FROM drafts WHERE dropping BETWEEN 1 AND ? LIMIT ?", now, limit);
    for (const { model, revision } of drafts) this.#store.run("UPDATE drafts SET dropping = ? WHERE model = ? AND revision = ?", until, model, revision);
    return { drafts, until };
  }

  /** Their manifests are gone, of those that were not sent again since. */
  gone({ drafts, until }: Sent): void {
    for (const { model, revision } of drafts) this.#store.run("DELETE FROM drafts WHERE model = ? AND revision = ? AND dropping = ?", model, revision, until);
  }

  nextDrop(): number | null {
    return this.#store.first<{ at: number | null }>("SELECT min(CASE WHEN dropping > 0 THEN dropping ELSE touched_at + ? END) AS at FROM drafts", KEEP_MS)?.at ?? null;
  }

  /** Models that have drafts, open or committed, and no live revision, `model` left out. */
  models(model = ""): number {
    const row = this.#store.first<{ n: number }>(
      "SELECT count(*) AS n FROM (SELECT model FROM drafts WHERE dropping = 0 UNION SELECT model FROM revisions) WHERE model <> ? AND model NOT IN (SELECT model FROM models)",
      model,
    );
    return row?.n ?? 0;
  }

  #count(): number {
    return this.#store.first<{ n: number }>("SELECT count(*) AS n FROM drafts WHERE dropping = 0")?.n ?? 0;
  }
}
