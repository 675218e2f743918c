/** How fast bytes come: over the last seconds, so that it follows the connection and does not flicker. Pure. */

const WINDOW_MS = 4000;

export class Rate {
  readonly #arrivals: { readonly atMs: number; readonly bytes: number }[] = [];
  #startedMs: number | null = null;

  add(bytes: number, nowMs: number): void {
    this.#startedMs ??= nowMs;
    if (bytes > 0) this.#arrivals.push({ atMs: nowMs, bytes });
    while (this.#arrivals[0] && this.#arrivals[0].atMs <= nowMs - WINDOW_MS) this.#arrivals.shift();
  }

  /** Null while there is too little to tell. */
  bytesPerSecond(nowMs: number): number | null {
    if (this.#startedMs === null) return null;
    const spanMs = Math.min(WINDOW_MS, nowMs - this.#startedMs);
    if (spanMs < 250) return null;
    const bytes = this.#arrivals.reduce((sum, arrival) => sum + (arrival.atMs > nowMs - WINDOW_MS ? arrival.bytes : 0), 0);
    return Math.round((bytes * 1000) / spanMs);
  }
}
