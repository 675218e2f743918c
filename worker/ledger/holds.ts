/**
 * What unresolved leases hold, by scope and day: tokens and nano-dollars.
 *
 * - A mirror in memory of the leases table: a grant writes its lease and nothing else of its hold, so that what is held
 *   is by construction the sum over the leases that hold it. It never writes storage.
 */
import type { DayName } from "./calendar.ts";

export interface Held {
  readonly tokens: number;
  readonly nanos: number;
}

const NOTHING: Held = { tokens: 0, nanos: 0 };

export class Holds {
  readonly #scopes = new Map<string, Map<DayName, Held>>();

  clear(): void {
    this.#scopes.clear();
  }

  change(scopes: readonly string[], day: DayName, tokens: number, nanos: number): void {
    for (const scope of scopes) this.#change(scope, day, tokens, nanos);
  }

  of(scope: string, day: DayName): Held {
    return this.#scopes.get(scope)?.get(day) ?? NOTHING;
  }

  /** Sums of the days whose name begins with `month`. */
  ofMonth(scope: string, month: string): Held {
    let sum = NOTHING;
    for (const [day, held] of this.#scopes.get(scope) ?? []) {
      if (day.startsWith(month)) sum = { tokens: sum.tokens + held.tokens, nanos: sum.nanos + held.nanos };
    }
    return sum;
  }

  #change(scope: string, day: DayName, tokens: number, nanos: number): void {
    let days = this.#scopes.get(scope);
    if (!days) this.#scopes.set(scope, (days = new Map()));
    const before = days.get(day) ?? NOTHING;
    const after = { tokens: before.tokens + tokens, nanos: before.nanos + nanos };
    if (after.tokens !== 0 || after.nanos !== 0) {
      days.set(day, after);
      return;
    }
    days.delete(day);
    if (days.size === 0) this.#scopes.delete(scope);
  }
}
