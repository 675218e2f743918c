/**
 * Remembers which alerts were told. Each method runs inside the object's transaction.
 *
 * - A threshold is told once for a window of a limit; what was told stands in the table, and a copy in memory keeps a
 *   grant that reaches nothing new from reading it. `forget` is to be called where a transaction was undone.
 * - A limit without a window (`standing`) that falls back under a threshold may reach it, and tell it, again.
 */
import { type Alert, type Stand, between, reached } from "../alerts/thresholds.ts";
import type { Store } from "./store.ts";

const MAX_REMEMBERED = 10_000;
/** Longer than any window. */
const KEEP_MS = 40 * 86_400_000;

export class AlertBook {
  readonly #store: Store;
  readonly #told = new Map<string, number>();

  constructor(store: Store) {
    this.#store = store;
  }

  forget(): void {
    this.#told.clear();
  }

  /** The alerts that are to be told now; from here on they have been. `refused`: the limit has just refused a request. */
  take(stand: Stand, now: number, refused = false): Alert[] {
    const highest = reached(stand, refused);
    if (highest === 0 && stand.window !== "standing") return [];
    const scope = `${stand.name}\n${stand.of ?? ""}\n${stand.limit}`;
    const told = this.#toldOf(scope, stand.window);
    if (told === highest || (told > highest && stand.window !== "standing")) return [];
    this.#remember(scope, stand.window, highest, now);
    return between(told, highest).map((threshold) => ({ ...stand, threshold }));
  }

  forgetOld(now: number): void {
    this.#store.run("DELETE FROM alerts WHERE at <= ? AND period <> 'standing'", now - KEEP_MS);
  }

  #toldOf(scope: string, window: string): number {
    const name = `${scope}\n${window}`;
    let told = this.#told.get(name);
    if (told === undefined) {
      told = this.#store.first<{ told: number }>("SELECT told FROM alerts WHERE scope = ? AND period = ?", scope, window)?.told ?? 0;
      if (this.#told.size >= MAX_REMEMBERED) this.#told.clear();
      this.#told.set(name, told);
    }
    return told;
  }

  #remember(scope: string, window: string, told: number, now: number): void {
    this.#store.run(
      "INSERT INTO alerts (scope, period, told, at) VALUES (?, ?, ?, ?) ON CONFLICT (scope, period) DO UPDATE SET told = excluded.told, at = excluded.at",
      scope, window, told, now,
    );
    this.#told.set(`${scope}\n${window}`, told);
  }
}
