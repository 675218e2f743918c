/**
 * Models that are deleted: what they consist of, and what their deletion was answered with, for whoever asks again. Each
 * method runs inside the object's transaction.
 */
import type { ModelId, RevisionId } from "../../schema/contract/ids.ts";
import type { ModelDeleted } from "../../schema/contract/rollout.ts";
import type { Store } from "./store.ts";

const KEEP_MS = 30 * 86_400_000;

export class RemovalBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Its revisions and drafts, whatever stage they have; those that are being deleted are no more. */
  revisionsOf(model: ModelId): RevisionId[] {
    const rows = this.#store.all<{ revision: string }>("SELECT revision FROM revisions WHERE model = ? UNION SELECT revision FROM drafts WHERE model = ? AND dropping = 0", model, model);
    return rows.map(({ revision }) => revision as RevisionId);
  }

  /** Nothing of it is live any more. */
  unlist(model: ModelId): void {
    this.#store.run("DELETE FROM models WHERE model = ?", model);
  }

  remember(answer: ModelDeleted, now: number): void {
    this.#store.run("DELETE FROM deleted_models WHERE at <= ?", now - KEEP_MS);
    this.#store.run("INSERT INTO deleted_models (model, answer, at) VALUES (?, ?, ?) ON CONFLICT (model) DO UPDATE SET answer = excluded.answer, at = excluded.at", answer.id, JSON.stringify(answer), now);
  }

  recall(model: ModelId): ModelDeleted | null {
    const row = this.#store.first<{ answer: string }>("SELECT answer FROM deleted_models WHERE model = ?", model);
    return row && (JSON.parse(row.answer) as ModelDeleted);
  }
}
