/**
 * The sliding minute: what was admitted in the last 60 seconds, at a resolution of one second.
 *
 * - The window at `now` is the 60 whole seconds that end with the one `now` falls in, so no 60-second interval
 *   (1 s resolution) holds more than what was checked against it.
 * - A refund goes to the second that was charged; once that second has left the window it changes nothing.
 * - A mirror in memory of the leases table; `MinuteWindow` never writes storage.
 */

export const MINUTE_SECONDS = 60;

interface Bucket {
  held: number;
  posted: number;
  requests: number;
}

export interface MinuteSums {
  readonly held: number;
  readonly posted: number;
  readonly requests: number;
}

const secondOf = (ms: number) => Math.floor(ms / 1000);

export class MinuteWindow {
  readonly #buckets = new Map<number, Bucket>();

  #bucket(atMs: number): Bucket {
    const second = secondOf(atMs);
    let bucket = this.#buckets.get(second);
    if (!bucket) {
      bucket = { held: 0, posted: 0, requests: 0 };
      this.#buckets.set(second, bucket);
    }
    return bucket;
  }

  clear(): void {
    this.#buckets.clear();
  }

  /** The sum of several. */
  static merged(windows: readonly MinuteWindow[]): MinuteWindow {
    const sum = new MinuteWindow();
    for (const window of windows) {
      for (const [second, { held, posted, requests }] of window.#buckets) {
        const bucket = sum.#bucket(second * 1000);
        bucket.held += held;
        bucket.posted += posted;
        bucket.requests += requests;
      }
    }
    return sum;
  }

  /** A request granted at `atMs` that holds `held` and has posted `posted` tokens. */
  admit(atMs: number, held: number, posted = 0): void {
    const bucket = this.#bucket(atMs);
    bucket.held += held;
    bucket.posted += posted;
    bucket.requests += 1;
    // Of a window that is never asked, what has left it goes here.
    if (this.#buckets.size > 2 * MINUTE_SECONDS) this.sums(atMs);
  }

  /** Moves `release` tokens out of the hold charged at `grantedAtMs`, `post` of them to posted, the rest back. */
  resolve(grantedAtMs: number, release: number, post: number): void {
    const bucket = this.#buckets.get(secondOf(grantedAtMs));
    if (!bucket) return;
    bucket.held -= release;
    bucket.posted += post;
  }

  sums(nowMs: number): MinuteSums {
    const oldest = secondOf(nowMs) - MINUTE_SECONDS + 1;
    let held = 0;
    let posted = 0;
    let requests = 0;
    for (const [second, bucket] of this.#buckets) {
      if (second < oldest) this.#buckets.delete(second);
      else {
        held += bucket.held;
        posted += bucket.posted;
        requests += bucket.requests;
      }
    }
    return { held, posted, requests };
  }

  /** The first instant at which at least `needed` of `measure` have left the window; the window's end at the latest. */
  freesAt(nowMs: number, needed: number, measure: "tokens" | "requests"): number {
    if (needed === 1) return this.#firstFrees(measure) ?? (secondOf(nowMs) + MINUTE_SECONDS) * 1000;
    let freed = 0;
    for (const [second, bucket] of [...this.#buckets].sort(([a], [b]) => a - b)) {
      freed += measure === "tokens" ? bucket.held + bucket.posted : bucket.requests;
      if (freed >= needed) return (second + MINUTE_SECONDS) * 1000;
    }
    return (secondOf(nowMs) + MINUTE_SECONDS) * 1000;
  }

  /** When the first of `measure` leaves the window: what every grant shows, so without sorting. */
  #firstFrees(measure: "tokens" | "requests"): number | null {
    let first: number | null = null;
    for (const [second, { held, posted, requests }] of this.#buckets) {
      if ((measure === "tokens" ? held + posted : requests) > 0 && (first === null || second < first)) first = second;
    }
    return first === null ? null : (first + MINUTE_SECONDS) * 1000;
  }
}
