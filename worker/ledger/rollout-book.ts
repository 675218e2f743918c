/**
 * The stages of a model's revisions. Each method runs inside the object's transaction; the caller has decided that it may.
 *
 * - One revision of a model is live, and `models` names it and its canary. What is neither, and was either, is retired.
 * - A revision that is replaced is granted for a while longer to clients that have it; one that is rolled back from is not.
 * - Rolling back goes to the revision that was live before, and from there to the one before that: what was rolled back
 *   from, and a canary that was rolled back though it had been live once, is passed over until it goes live again.
 */
import { toTimestamp } from "../../schema/contract/amounts.ts";
import type { ModelId, RevisionId, Sha256 } from "../../schema/contract/ids.ts";
import type { Base } from "../../schema/contract/models.ts";
import { type Canary, KEEP_REPLACED_SECONDS, type ModelRevision, type Stage } from "../../schema/contract/rollout.ts";
import type { Offer } from "./choose-revision.ts";
import type { Row, Store } from "./store.ts";

interface StagedRow extends Row {
  model: string;
  revision: string;
  manifest_sha256: string;
  size_bytes: number;
  control_flow: number | null;
  base_model: string | null;
  base_revision: string | null;
  created_at: number;
  stage: string;
  since: number;
  percent: number | null;
  committed_at: number | null;
  granted_until: number | null;
}

export interface Staged {
  readonly model: ModelId;
  readonly revision: RevisionId;
  readonly manifestSha256: Sha256;
  readonly stage: Stage;
  readonly since: number;
  readonly percent: number | null;
  readonly committedAt: number | null;
  readonly grantedUntil: number | null;
  readonly sizeBytes: number;
  readonly controlFlow: boolean;
  readonly base: Base | null;
  readonly createdAt: number;
}

const STAGED = "SELECT model, revision, manifest_sha256, facts ->> '$.sizeBytes' AS size_bytes, facts ->> '$.controlFlow' AS control_flow, facts ->> '$.base.model' AS base_model, facts ->> '$.base.revision' AS base_revision, created_at, stage, since, percent, committed_at, granted_until FROM revisions";

export class RolloutBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  find(model: string, revision: string): Staged | null {
    return this.#store.recall(`staged ${model} ${revision}`, ["revisions"], () => {
      const row = this.#store.first<StagedRow>(`${STAGED} WHERE model = ? AND revision = ?`, model, revision);
      return row && fromRow(row);
    });
  }

  /** What may be granted of a model, to a client that has the revision `ready`; null where nothing is live. */
  offer(model: string, ready: string | null): Offer | null {
    const named = this.#store.recall(`serving ${model}`, ["models"], () => this.#store.first<{ revision: string; canary: string | null }>("SELECT revision, canary FROM models WHERE model = ?", model));
    const live = named && this.find(model, named.revision);
    if (!named || !live) return null;
    return { live, canary: named.canary === null ? null : this.find(model, named.canary), ready: ready === null ? null : this.find(model, ready) };
  }

  /** Revisions of the model by age, after the one that the cursor names. */
  list(model: string, after: { createdAt: number; revision: string }, limit: number): Staged[] {
    return this.#store.all<StagedRow>(`${STAGED} WHERE model = ? AND (created_at, revision) > (?, ?) ORDER BY created_at, revision LIMIT ?`, model, after.createdAt, after.revision, limit).map(fromRow);
  }

  canaryOf(model: string): Staged | null {
    const name = this.#store.first<{ canary: string | null }>("SELECT canary FROM models WHERE model = ?", model)?.canary;
    return name == null ? null : this.find(model, name);
  }

  /** What goes live when the canary has ended; null where nothing waits, or it was deleted meanwhile. */
  waitingOf(model: string): RevisionId | null {
    const name = this.#store.first<{ waiting: string | null }>("SELECT waiting FROM models WHERE model = ?", model)?.waiting;
    return name == null ? null : (this.find(model, name)?.revision ?? null);
  }

  wait(model: string, revision: string | null): void {
    this.#store.run("UPDATE models SET waiting = ? WHERE model = ?", revision, model);
  }

  /** Complete and checked; whatever stage it has stays. */
  commit(model: string, revision: string, now: number): void {
    this.#store.run("UPDATE revisions SET committed_at = ?, since = ? WHERE model = ? AND revision = ? AND committed_at IS NULL", now, now, model, revision);
  }

  toCanary(model: string, revision: string, percent: number, now: number): void {
    this.#store.run("UPDATE revisions SET stage = 'canary', since = ?, percent = ?, granted_until = NULL WHERE model = ? AND revision = ?", now, percent, model, revision);
    this.#store.run("UPDATE models SET canary = ? WHERE model = ?", revision, model);
  }

  /** What was live, and the canary if not said otherwise, is replaced by it. Nothing waits any more. */
  toLive(model: string, revision: string, now: number, canaryStays = false): void {
    this.#retire(`model = ? AND revision <> ? AND stage IN ('live'${canaryStays ? "" : ", 'canary'"})`, now, now + KEEP_REPLACED_SECONDS * 1000, model, revision);
    const last = this.#store.first<{ n: number | null }>("SELECT max(live_order) AS n FROM revisions WHERE model = ?", model)?.n ?? 0;
    this.#store.run("UPDATE revisions SET live_order = ? WHERE model = ? AND revision = ?", last + 1, model, revision);
    this.#serve(model, revision, now, canaryStays);
  }

  endCanary(model: string, now: number): void {
    this.#store.run("UPDATE revisions SET live_order = NULL WHERE model = ? AND stage = 'canary'", model);
    this.#retire("model = ? AND stage = 'canary'", now, null, model);
    this.#store.run("UPDATE models SET canary = NULL WHERE model = ?", model);
  }

  /** The revision that was live last before the one that is, of those that `may` be gone back to; null where there is none. */
  before(model: string, may: (one: Staged) => boolean = () => true): Staged | null {
    return this.#store.all<StagedRow>(`${STAGED} WHERE model = ? AND stage <> 'live' AND live_order IS NOT NULL ORDER BY live_order DESC`, model).map(fromRow).find(may) ?? null;
  }

  /** What was live after it is not gone back to. */
  goBackTo(model: string, revision: string, now: number): void {
    this.#store.run("UPDATE revisions SET live_order = NULL WHERE model = ? AND live_order > (SELECT live_order FROM revisions WHERE model = ? AND revision = ?)", model, model, revision);
    this.#retire("model = ? AND stage = 'live'", now, null, model);
    this.#serve(model, revision, now);
  }

  /** What is no longer live and stands on this base was rolled back from there: nobody is granted it, nor gone back to it. */
  withdraw(model: string, baseRevision: string): void {
    this.#store.run("UPDATE revisions SET live_order = NULL, granted_until = NULL WHERE model = ? AND stage = 'retired' AND facts ->> '$.base.model' = model AND facts ->> '$.base.revision' = ?", model, baseRevision);
  }

  /** It was live, and was rolled back from. */
  isWithdrawn(model: string, revision: string): boolean {
    return this.#store.first("SELECT 1 AS one FROM revisions WHERE model = ? AND revision = ? AND stage = 'retired' AND live_order IS NULL", model, revision) !== null;
  }

  /** What is neither live nor a canary any more, and since when. */
  retired(): Pick<Staged, "model" | "revision" | "since">[] {
    return this.#store.all<{ model: string; revision: string; since: number }>("SELECT model, revision, since FROM revisions WHERE stage = 'retired'") as unknown as Pick<Staged, "model" | "revision" | "since">[];
  }

  #serve(model: string, revision: string, now: number, canaryStays = false): void {
    this.#store.run("UPDATE revisions SET stage = 'live', since = ?, percent = NULL, granted_until = NULL, published_at = ? WHERE model = ? AND revision = ?", now, now, model, revision);
    this.#store.run(
      "INSERT INTO models (model, revision, published_at) VALUES (?, ?, ?) ON CONFLICT (model) DO UPDATE SET revision = excluded.revision, published_at = excluded.published_at, waiting = NULL, canary = CASE WHEN ? THEN canary END",
      model, revision, now, canaryStays ? 1 : 0,
    );
  }

  #retire(which: string, now: number, grantedUntil: number | null, ...of: string[]): void {
    this.#store.run(`UPDATE revisions SET stage = 'retired', since = ?, percent = NULL, granted_until = ? WHERE ${which}`, now, grantedUntil, ...of);
  }
}

const fromRow = (row: StagedRow): Staged => ({
  model: row.model as ModelId,
  revision: row.revision as RevisionId,
  manifestSha256: row.manifest_sha256 as Sha256,
  stage: row.stage as Stage,
  since: row.since,
  percent: row.percent,
  committedAt: row.committed_at,
  grantedUntil: row.granted_until,
  sizeBytes: Number(row.size_bytes),
  controlFlow: row.control_flow === 1,
  base: row.base_model === null ? null : { model: row.base_model as ModelId, revision: row.base_revision as RevisionId },
  createdAt: row.created_at,
});

/** The revision as the API shows it. */
export const toModelRevision = (staged: Staged): ModelRevision => ({
  model: staged.model,
  revision: staged.revision,
  stage: staged.stage,
  percent: staged.percent,
  since: toTimestamp(staged.since),
  committed: staged.committedAt !== null,
  manifest_sha256: staged.manifestSha256,
  size_bytes: staged.sizeBytes,
  created_at: toTimestamp(staged.createdAt),
  granted_until: staged.grantedUntil === null ? null : toTimestamp(staged.grantedUntil),
});

export const toCanary = ({ revision, manifestSha256, percent, since }: Staged): Canary => ({ revision, manifest_sha256: manifestSha256, percent: percent ?? 0, since: toTimestamp(since) });
