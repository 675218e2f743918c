/**
 * What the operator's catalogue lends this tenant: revisions, with the chunks that may be read of them. Each method runs
 * inside the object's transaction.
 *
 * - Several revisions of a model may be lent at once, so that what was built on an earlier one goes on.
 * - A chunk that the tenant has stored itself is its own; what is lent counts against none of its storage.
 */
import { toTimestamp } from "../../schema/contract/amounts.ts";
import type { Grant } from "../../schema/contract/catalog.ts";
import type { ModelId, RevisionId, Sha256 } from "../../schema/contract/ids.ts";
import type { Base } from "../../schema/contract/models.ts";
import { jsonPieces } from "./pieces.ts";
import type { Row, Store } from "./store.ts";

interface LentRow extends Row {
  model: string;
  revision: string;
  granted_at: number;
  follows: number;
  waits: number;
}

export class LoanBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** `manifestSha256`: of the catalogue's manifest. */
  add({ model, revision }: Base, manifestSha256: string, sizes: Readonly<Record<string, number>>, now: number): void {
    this.#store.run("INSERT INTO lent (model, revision, manifest_sha256, granted_at) VALUES (?, ?, ?, ?) ON CONFLICT (model, revision) DO NOTHING", model, revision, manifestSha256, now);
    for (const piece of jsonPieces(sizes)) {
      this.#store.run(
        "INSERT INTO lent_chunks (model, revision, sha256, size) SELECT ?, ?, key, value FROM json_each(?) WHERE true ON CONFLICT (model, revision, sha256) DO NOTHING",
        model, revision, piece,
      );
    }
  }

  /** All revisions of the model. Gives which they were. */
  drop(model: string): RevisionId[] {
    const rows = this.#store.all<{ revision: string }>("SELECT revision FROM lent WHERE model = ?", model);
    this.#store.run("DELETE FROM lent WHERE model = ?", model);
    this.#store.run("DELETE FROM lent_chunks WHERE model = ?", model);
    this.setFollowing(model, false);
    return rows.map(({ revision }) => revision as RevisionId);
  }

  /** One revision alone. */
  dropRevision({ model, revision }: Base): void {
    this.#store.run("DELETE FROM lent WHERE model = ? AND revision = ?", model, revision);
    this.#store.run("DELETE FROM lent_chunks WHERE model = ? AND revision = ?", model, revision);
  }

  /** Whether the model goes with what is live in the catalogue. */
  setFollowing(model: string, follows: boolean): void {
    this.#store.run(follows ? "INSERT INTO following (model) VALUES (?) ON CONFLICT DO NOTHING" : "DELETE FROM following WHERE model = ?", model);
  }

  isFollowing(model: string): boolean {
    return this.#store.first("SELECT 1 AS one FROM following WHERE model = ?", model) !== null;
  }

  holds(base: Base): boolean {
    return this.manifestOf(base) !== null;
  }

  /** The digest of the catalogue's manifest of what is lent; null where it is not. */
  manifestOf({ model, revision }: Base): Sha256 | null {
    return (this.#store.first<{ digest: string }>("SELECT manifest_sha256 AS digest FROM lent WHERE model = ? AND revision = ?", model, revision)?.digest ?? null) as Sha256 | null;
  }

  /** Size of a chunk that is lent, with whatever it is; null where none is. */
  sizeOf(digest: string): number | null {
    return this.#store.first<{ size: number }>("SELECT c.size FROM lent l JOIN lent_chunks c ON c.model = l.model AND c.revision = l.revision AND c.sha256 = ? LIMIT 1", digest)?.size ?? null;
  }

  /** Chunks of this revision of the tenant that are read from the catalogue. */
  chunksFor(model: string, revision: string): Sha256[] {
    const rows = this.#store.all<{ sha256: string }>(
      `SELECT DISTINCT c.sha256 FROM lent l JOIN chunks c JOIN lent_chunks b ON b.model = l.model AND b.revision = l.revision AND b.sha256 = c.sha256
       WHERE c.model = ? AND c.revision = ? AND c.sha256 NOT IN (SELECT sha256 FROM blobs)`,
      model, revision,
    );
    return rows.map(({ sha256 }) => sha256 as Sha256);
  }

  /** By model and revision, after the one that the cursor names. */
  list(after: { model: string; revision: string }, limit: number): Grant[] {
    return this.#store
      .all<LentRow>(
        `SELECT model, revision, granted_at, model IN (SELECT model FROM following) AS follows, EXISTS (
           SELECT 1 FROM models m JOIN revisions r ON r.model = m.model AND r.revision = m.waiting WHERE m.model = lent.model AND r.facts ->> '$.base.revision' = lent.revision
         ) AS waits FROM lent WHERE (model, revision) > (?, ?) ORDER BY model, revision LIMIT ?`,
        after.model, after.revision, limit,
      )
      .map((row) => ({ model: row.model as ModelId, revision: row.revision as RevisionId, granted_at: toTimestamp(row.granted_at), follows: row.follows === 1, waits: row.waits === 1 }));
  }
}
