/**
 * How many leases are active at one time: they hold tokens and have not ended.
 *
 * - A mirror in memory of the leases table, so that a grant need not count thousands of rows; it never writes storage.
 * - Leases end on whole seconds, so there are few ends to look through however many leases there are.
 * - An offline lease in its grace time has ended: it is reported, not run.
 */
export class ActiveLeases {
  /** How many leases end at which instant. */
  readonly #ends = new Map<number, number>();
  #count = 0;

  clear(): void {
    this.#ends.clear();
    this.#count = 0;
  }

  add(endsAt: number, count = 1): void {
    this.#ends.set(endsAt, (this.#ends.get(endsAt) ?? 0) + count);
    this.#count += count;
  }

  /** One that ends at `endsAt` was resolved. One whose end has passed was counted out by it. */
  remove(endsAt: number): void {
    const count = this.#ends.get(endsAt);
    if (count === undefined) return;
    this.#count -= 1;
    if (count === 1) this.#ends.delete(endsAt);
    else this.#ends.set(endsAt, count - 1);
  }

  /** `soonest`: when the next one ends by itself; null where there is none. */
  at(now: number): { readonly count: number; readonly soonest: number | null } {
    let soonest: number | null = null;
    for (const [endsAt, count] of this.#ends) {
      if (endsAt <= now) {
        this.#ends.delete(endsAt);
        this.#count -= count;
      } else if (soonest === null || endsAt < soonest) soonest = endsAt;
    }
    return { count: this.#count, soonest };
  }
}
