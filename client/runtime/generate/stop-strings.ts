/**
 * Finds stop strings in text that comes in pieces, across their borders.
 *
 * - What may still become a stop string is held back; `end` gives it out.
 * - Of stop strings that end at the same place, the one that begins first counts.
 */
export class StopFinder {
  readonly #stops: readonly string[];
  #held = "";

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== "");
  }

  /** The text that may be shown; once `isFound`, all that comes before the stop string. */
  push(piece: string): { readonly text: string; readonly isFound: boolean } {
    const text = this.#held + piece;
    let first = -1;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at >= 0 && (first < 0 || at < first)) first = at;
    }
    if (first >= 0) {
      this.#held = "";
      return { text: text.slice(0, first), isFound: true };
    }
    const safe = text.length - this.#heldLength(text);
    this.#held = text.slice(safe);
    return { text: text.slice(0, safe), isFound: false };
  }

  end(): string {
    const text = this.#held;
    this.#held = "";
    return text;
  }

  /** The longest end of the text that a stop string begins with. */
  #heldLength(text: string): number {
    const most = Math.min(text.length, Math.max(0, ...this.#stops.map(({ length }) => length - 1)));
    for (let length = most; length > 0; length--) {
      const end = text.slice(text.length - length);
      if (this.#stops.some((stop) => stop.startsWith(end))) return length;
    }
    return 0;
  }
}
