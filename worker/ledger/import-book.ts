/**
 * Imports of the tenant: what was asked, where each is, and which chunks of its files are stored. Each method runs
 * inside the object's transaction.
 *
 * - `next_at` is when an import wants to be taken up; null once it has ended. A chunk is noted after it is stored.
 */
import { toTimestamp } from "../../schema/contract/amounts.ts";
import type { ImportCreate, ImportFault, ImportId, ModelImport } from "../../schema/contract/imports.ts";
import type { ModelId, RequestId, RevisionId, Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk, Task, UsageMeasure } from "../../schema/contract/models.ts";
import type { HubFile } from "../imports/hub.ts";
import type { Row, Store } from "./store.ts";

/** What was read off the hub. */
export interface ImportPlan {
  readonly task: Task;
  readonly usage: UsageMeasure;
  readonly licence: string | null;
}

interface ImportRow extends Row {
  id: string;
  model: string;
  ask: string;
  actor: string;
  request_id: string;
  state: string;
  commit_sha: string | null;
  plan: string | null;
  revision: string | null;
  fault: string | null;
  attempts: number;
  error: string | null;
  next_at: number | null;
  created_at: number;
  updated_at: number;
}

export interface StoredImport {
  readonly id: ImportId;
  readonly model: ModelId;
  readonly ask: ImportCreate;
  readonly actor: string;
  readonly requestId: RequestId;
  readonly commit: string | null;
  readonly plan: ImportPlan | null;
}

export interface ImportFile extends HubFile {
  readonly position: number;
  /** Of the content that came; null until all of it is stored. */
  readonly digest: Sha256 | null;
  /** How often what came was not what the hub states. */
  readonly mismatches: number;
}

const KEEP_MS = 30 * 86_400_000;
export const MAX_ACTIVE_IMPORTS = 8;

export class ImportBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  add(id: ImportId, model: ModelId, ask: ImportCreate, by: { actor: string; requestId: RequestId }, now: number): void {
    this.#forgetOld(now);
    this.#store.run(
      "INSERT INTO imports (id, model, ask, actor, request_id, state, next_at, created_at, updated_at) VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?)",
      id, model, JSON.stringify(ask), by.actor, by.requestId, now, now, now,
    );
  }

  active(): number {
    return this.#store.first<{ n: number }>("SELECT count(*) AS n FROM imports WHERE next_at IS NOT NULL")?.n ?? 0;
  }

  /** `but`: not of these, which are being taken up. */
  nextAt(but: readonly ImportId[]): number | null {
    return this.#store.first<{ at: number | null }>("SELECT min(next_at) AS at FROM imports WHERE id NOT IN (SELECT value FROM json_each(?))", JSON.stringify(but))?.at ?? null;
  }

  /** Those that wait longest. */
  due(now: number, but: readonly ImportId[], limit: number): StoredImport[] {
    return this.#store.all<ImportRow>("SELECT * FROM imports WHERE next_at <= ? AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY next_at, id LIMIT ?", now, JSON.stringify(but), Math.max(0, limit)).map(toStored);
  }

  /** It has had its turn. One that has ended stays so. */
  queue(id: string, now: number): void {
    this.#store.run("UPDATE imports SET next_at = ?, attempts = 0, error = NULL WHERE id = ? AND next_at IS NOT NULL", now, id);
  }

  /** A slice counts as failed until it has ended: the object may die of it, and would for ever. Gives how many failed before, in a row. */
  beginSlice(id: string): number {
    this.#store.run("UPDATE imports SET attempts = attempts + 1 WHERE id = ? AND next_at IS NOT NULL", id);
    return this.attempts(id) ?? 0;
  }

  /** How often it failed in a row before the slice that is under way; null: it has ended. */
  attempts(id: string): number | null {
    return this.#store.first<{ attempts: number }>("SELECT max(0, attempts - 1) AS attempts FROM imports WHERE id = ? AND next_at IS NOT NULL", id)?.attempts ?? null;
  }

  /** Bytes of this file that an earlier import has stored, as far as the hub states what the file is. */
  storedBytes({ sha256, git, size }: HubFile): number {
    const found = this.#store.first<{ bytes: number | null }>(
      `SELECT sum(size) AS bytes FROM (
         SELECT DISTINCT b.sha256, b.size FROM import_files f JOIN import_chunks c ON c.import_id = f.import_id AND c.position = f.position JOIN blobs b ON b.sha256 = c.sha256
         WHERE f.stated_sha256 = ? OR f.stated_git = ?)`,
      sha256, git,
    );
    return Math.min(size, found?.bytes ?? 0);
  }

  activeOf(model: string): StoredImport[] {
    return this.#store.all<ImportRow>("SELECT * FROM imports WHERE model = ? AND next_at IS NOT NULL", model).map(toStored);
  }

  isActive(id: string): boolean {
    return this.#store.first("SELECT 1 AS one FROM imports WHERE id = ? AND next_at IS NOT NULL", id) !== null;
  }

  plan(id: string, commit: string, plan: ImportPlan, files: readonly HubFile[], now: number): void {
    this.#store.run("UPDATE imports SET state = 'running', commit_sha = ?, plan = ?, updated_at = ? WHERE id = ?", commit, JSON.stringify(plan), now, id);
    files.forEach((file, position) =>
      this.#store.run(
        "INSERT INTO import_files (import_id, position, path, size, stated_sha256, stated_git) VALUES (?, ?, ?, ?, ?, ?)",
        id, position, file.path, file.size, file.sha256, file.git,
      ),
    );
  }

  files(id: string): ImportFile[] {
    interface FileRow extends Row {
      position: number;
      path: string;
      size: number;
      stated_sha256: string | null;
      stated_git: string | null;
      sha256: string | null;
      mismatches: number;
    }
    const rows = this.#store.all<FileRow>("SELECT position, path, size, stated_sha256, stated_git, sha256, mismatches FROM import_files WHERE import_id = ? ORDER BY position", id);
    return rows.map((row) => ({ position: row.position, path: row.path, size: row.size, sha256: row.stated_sha256, git: row.stated_git, digest: row.sha256 as Sha256 | null, mismatches: row.mismatches }));
  }

  chunks(id: string, position: number): Chunk[] {
    return this.#store.all<{ sha256: string; size: number }>("SELECT sha256, size FROM import_chunks WHERE import_id = ? AND position = ? ORDER BY at", id, position) as unknown as Chunk[];
  }

  addChunk(id: string, position: number, at: number, chunk: Chunk, now: number): void {
    this.#store.run("INSERT INTO import_chunks (import_id, position, at, sha256, size) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", id, position, at, chunk.sha256, chunk.size);
    this.#store.run("UPDATE imports SET attempts = 0, error = NULL, updated_at = ? WHERE id = ?", now, id);
  }

  /** All of the file is stored, and is what the hub stated. */
  endFile(id: string, position: number, digest: Sha256): void {
    this.#store.run("UPDATE import_files SET sha256 = ? WHERE import_id = ? AND position = ?", digest, id, position);
  }

  /** The file is fetched anew. */
  mismatch(id: string, position: number): void {
    this.#store.run("UPDATE import_files SET mismatches = mismatches + 1 WHERE import_id = ? AND position = ?", id, position);
    this.dropChunks(id, position);
  }

  dropChunks(id: string, position: number): void {
    this.#store.run("DELETE FROM import_chunks WHERE import_id = ? AND position = ?", id, position);
  }

  retry(id: string, error: string, at: number, now: number): void {
    this.#store.run("UPDATE imports SET attempts = max(1, attempts), error = ?, next_at = ?, updated_at = ? WHERE id = ? AND next_at IS NOT NULL", error, at, now, id);
  }

  end(id: string, how: { state: "done"; revision: string } | { state: "failed"; fault: { code: ImportFault; detail: string } } | { state: "cancelled" }, now: number): void {
    const revision = how.state === "done" ? how.revision : null;
    const fault = how.state === "failed" ? JSON.stringify(how.fault) : null;
    this.#store.run("UPDATE imports SET state = ?, revision = ?, fault = ?, error = NULL, next_at = NULL, updated_at = ? WHERE id = ?", how.state, revision, fault, now, id);
  }

  find(id: string): ModelImport | null {
    const row = this.#store.first<ImportRow>("SELECT * FROM imports WHERE id = ?", id);
    return row && this.#shown(row);
  }

  list(after: string, limit: number): ModelImport[] {
    return this.#store.all<ImportRow>("SELECT * FROM imports WHERE id > ? ORDER BY id LIMIT ?", after, limit).map((row) => this.#shown(row));
  }

  #shown(row: ImportRow): ModelImport {
    const files = this.#store.all<{ path: string; size: number; done: number | null }>(
      "SELECT path, size, (SELECT sum(size) FROM import_chunks c WHERE c.import_id = f.import_id AND c.position = f.position) AS done FROM import_files f WHERE import_id = ? ORDER BY position",
      row.id,
    );
    const sum = (of: (file: (typeof files)[number]) => number) => files.reduce((total, file) => total + of(file), 0);
    return {
      id: row.id as ImportId,
      model: row.model as ModelId,
      source: (JSON.parse(row.ask) as ImportCreate).source,
      commit: row.commit_sha,
      state: row.state as ModelImport["state"],
      bytes_total: sum((file) => file.size),
      bytes_done: sum((file) => file.done ?? 0),
      files: files.map(({ path, size, done }) => ({ path, size, bytes_done: done ?? 0 })),
      revision: row.revision as RevisionId | null,
      fault: row.fault === null ? null : (JSON.parse(row.fault) as ModelImport["fault"]),
      retrying: row.error === null || row.next_at === null ? null : { attempts: row.attempts, next_at: toTimestamp(row.next_at), error: row.error },
      created_at: toTimestamp(row.created_at),
      updated_at: toTimestamp(row.updated_at),
    };
  }

  #forgetOld(now: number): void {
    const old = "SELECT id FROM imports WHERE next_at IS NULL AND updated_at < ?";
    this.#store.run(`DELETE FROM import_chunks WHERE import_id IN (${old})`, now - KEEP_MS);
    this.#store.run(`DELETE FROM import_files WHERE import_id IN (${old})`, now - KEEP_MS);
    this.#store.run("DELETE FROM imports WHERE next_at IS NULL AND updated_at < ?", now - KEEP_MS);
  }
}

const toStored = (row: ImportRow): StoredImport => ({
  id: row.id as ImportId,
  model: row.model as ModelId,
  ask: JSON.parse(row.ask) as ImportCreate,
  actor: row.actor,
  requestId: row.request_id as RequestId,
  commit: row.commit_sha,
  plan: row.plan === null ? null : (JSON.parse(row.plan) as ImportPlan),
});
