/**
 * Sessions of the console that were signed out of: no copy of their cookie is taken any more. Kept until they would have
 * ended by themselves. Each method runs inside the object's transaction.
 */
import type { Store } from "./store.ts";

export class EndedSessions {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  end(id: string, endsAt: number, now: number): void {
    this.#store.run("DELETE FROM ended_sessions WHERE ends_at <= ?", now);
    this.#store.run("INSERT INTO ended_sessions (id, ends_at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", id, endsAt);
  }

  has(id: string): boolean {
    return this.#store.first("SELECT 1 AS one FROM ended_sessions WHERE id = ?", id) !== null;
  }
}
