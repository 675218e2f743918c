/** Instants, each as often as it was added, and the soonest of them: found without looking through them, mostly. */
export class Instants {
  readonly #counts = new Map<number, number>();
  #soonest: number | null = null;

  /** Null where there is none. */
  get soonest(): number | null {
    return this.#soonest;
  }

  clear(): void {
    this.#counts.clear();
    this.#soonest = null;
  }

  add(at: number): void {
    this.#counts.set(at, (this.#counts.get(at) ?? 0) + 1);
    if (this.#soonest === null || at < this.#soonest) this.#soonest = at;
  }

  /** Takes one out that was added. */
  remove(at: number): void {
    const count = this.#counts.get(at);
    if (count === undefined) throw new Error("an instant was taken out that was never added");
    if (count > 1) {
      this.#counts.set(at, count - 1);
      return;
    }
    this.#counts.delete(at);
    if (at !== this.#soonest) return;
    let soonest: number | null = null;
    for (const other of this.#counts.keys()) if (soonest === null || other < soonest) soonest = other;
    this.#soonest = soonest;
  }
}
