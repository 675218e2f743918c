/**
 * A mergeable sketch of durations in milliseconds (DDSketch): its quantiles are within 1 % of the exact ones, however many
 * values it has seen, and merging two sketches is the same as having seen the values of both.
 *
 * - Stored as JSON of the bins that are not empty. (The library's own protobuf form brings a runtime of its own and
 *   loses minimum and maximum.)
 */
import { DDSketch } from "@datadog/sketches-js";

const RELATIVE_ACCURACY = 0.01;

/** `bins`: key, count, key, count … in the order of keys. Empty: nothing was seen. */
export interface StoredSketch {
  readonly bins: readonly number[];
  readonly zeros: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
}

export const EMPTY_SKETCH: StoredSketch = { bins: [], zeros: 0, sum: 0, min: 0, max: 0 };

export class Sketch {
  readonly #inner = new DDSketch({ relativeAccuracy: RELATIVE_ACCURACY });

  static from(stored: StoredSketch): Sketch {
    const sketch = new Sketch();
    sketch.merge(stored);
    return sketch;
  }

  get count(): number {
    return this.#inner.count;
  }

  get sum(): number {
    return this.#inner.sum;
  }

  add(value: number): void {
    this.#inner.accept(value);
  }

  merge({ bins, zeros, sum, min, max }: StoredSketch): void {
    const inner = this.#inner;
    let count = zeros;
    for (let at = 0; at < bins.length; at += 2) {
      inner.store.add(bins[at] as number, bins[at + 1] as number);
      count += bins[at + 1] as number;
    }
    if (count === 0) return;
    inner.zeroCount += zeros;
    inner.count += count;
    inner.sum += sum;
    inner.min = Math.min(inner.min, min);
    inner.max = Math.max(inner.max, max);
  }

  /** The value that a share `q` (0–1) of all values does not exceed; null where nothing was seen. */
  quantile(q: number): number | null {
    if (this.count === 0) return null;
    // A bin's middle can lie outside of what was really seen.
    return Math.min(this.#inner.max, Math.max(this.#inner.min, this.#inner.getValueAtQuantile(q)));
  }

  toStored(): StoredSketch {
    const { store, zeroCount, sum, min, max, count } = this.#inner;
    if (count === 0) return EMPTY_SKETCH;
    const bins = store.bins.flatMap((weight, index) => (weight > 0 ? [index + store.offset, weight] : []));
    return { bins, zeros: zeroCount, sum, min, max };
  }
}
