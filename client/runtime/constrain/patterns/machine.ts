/**
 * A language as a deterministic machine over characters, built as far as it is walked.
 *
 * - Characters that it can't tell apart are one class.
 * - Of a state it is known how many characters an end is away, so that no way into a dead end is taken. Searches for
 *   ends have `MOST_WORK` together: where one is given up, there counts as none, and a text is kept from going there.
 */
import { ALL_CHARS, type CharSet, isIn, LAST, pairs } from "./char-set.ts";
import { type Language, type Languages, setsIn } from "./language.ts";

export type State = number;
export const START: State = 0;

/** Less than a second of it. */
const MOST_WORK = 500_000;
const UNKNOWN = -2;
const NONE = -1;

export class Machine {
  /** Whether a search for an end was given up. */
  isTooLarge = false;
  #work = 0;
  readonly #languages: Languages;
  /** Where each run of characters of one class begins, that class (`NONE`: no characters at all), and one of each class. */
  readonly #from: readonly number[];
  readonly #class: readonly number[];
  readonly #samples: readonly number[];
  /** By class: what is left of a language. */
  readonly #after: readonly Map<Language, Language>[];
  readonly #states = new Map<Language, State>();
  readonly #language: Language[] = [];
  readonly #next: Int32Array[] = [];
  /** `UNKNOWN`: not looked for; `NONE`: there is no end. */
  readonly #distance: number[] = [];

  constructor(language: Language, languages: Languages) {
    const { from, classes, samples } = classesOf([...setsIn(language)]);
    this.#languages = languages;
    this.#from = from;
    this.#class = classes;
    this.#samples = samples;
    this.#after = samples.map(() => new Map());
    this.#stateOf(language);
  }

  /** What it has taken by now. */
  get work(): number {
    return this.#languages.work;
  }

  /** Characters from here to an end: 0 where it may end, `Infinity` where it never can. */
  distance(state: State): number {
    if (this.#distance[state] === UNKNOWN) this.#search(state);
    const distance = this.#distance[state] as number;
    return distance === NONE ? Infinity : distance;
  }

  /** `NONE`, or a state, which may be a dead end. */
  after(state: State, point: number): State {
    const own = this.#class[this.#runOf(point)] as number;
    return own === NONE ? NONE : this.#step(state, own);
  }

  /** Whether some character from `low` to `high` leads to where an end is `most` characters away at most. */
  leads(state: State, low: number, high: number, most: number): boolean {
    if (low > LAST) return false;
    for (let run = this.#runOf(low); run < this.#from.length && (this.#from[run] as number) <= high; run++) {
      const own = this.#class[run] as number;
      const next = own === NONE ? NONE : this.#step(state, own);
      if (next !== NONE && this.isNear(next, most)) return true;
    }
    return false;
  }

  /** Whether an end is `most` characters away at most. */
  isNear(state: State, most: number): boolean {
    const distance = this.distance(state);
    return distance < Infinity && distance <= most;
  }

  matches(text: string): boolean {
    let state: State = START;
    for (const char of text) if ((state = this.after(state, char.codePointAt(0) as number)) === NONE) return false;
    return this.distance(state) === 0;
  }

  #step(state: State, own: number): State {
    const row = this.#next[state] as Int32Array;
    const known = row[own] as number;
    if (known !== UNKNOWN) return known;
    const sample = this.#samples[own] as number;
    const language = this.#languages.after(this.#language[state] as Language, (set) => isIn(set, sample), this.#after[own] as Map<Language, Language>);
    return (row[own] = language === this.#languages.none ? NONE : this.#stateOf(language));
  }

  #stateOf(language: Language): State {
    let state = this.#states.get(language);
    if (state === undefined) {
      this.#states.set(language, (state = this.#language.length));
      this.#language.push(language);
      this.#next.push(new Int32Array(this.#samples.length).fill(UNKNOWN));
      this.#distance.push(language.hasEmpty ? 0 : UNKNOWN);
    }
    return state;
  }

  /** The nearest end, by way of what is known of others. */
  #search(start: State): void {
    const seen = new Map<State, { readonly depth: number; readonly before: State | null }>([[start, { depth: 0, before: null }]]);
    const begun = this.#languages.work - this.#work;
    let best = { length: Infinity, by: NONE };
    let isCut = false;
    for (const [state, { depth }] of seen) {
      if (depth >= best.length) break;
      this.#work = this.#languages.work - begun;
      isCut = this.#work > MOST_WORK;
      if (isCut) break;
      const known = this.#distance[state] as number;
      if (known >= 0 && depth + known < best.length) best = { length: depth + known, by: state };
      if (known !== UNKNOWN) continue;
      for (let own = 0; own < this.#samples.length; own++) {
        const next = this.#step(state, own);
        if (next !== NONE && !seen.has(next)) seen.set(next, { depth: depth + 1, before: state });
      }
    }
    this.isTooLarge ||= isCut;
    if (best.by === NONE) {
      for (const state of isCut ? [start] : seen.keys()) this.#distance[state] = NONE;
      return;
    }
    for (let at: State | null = best.by; at !== null; at = seen.get(at)?.before ?? null) this.#distance[at] = best.length - (seen.get(at)?.depth ?? 0);
  }

  #runOf(point: number): number {
    let [first, last] = [0, this.#from.length - 1];
    while (first < last) {
      const middle = (first + last + 1) >> 1;
      if ((this.#from[middle] as number) <= point) first = middle;
      else last = middle - 1;
    }
    return first;
  }
}

/** Runs of characters with a class each, and one character of each class. */
function classesOf(sets: readonly CharSet[]): { readonly from: number[]; readonly classes: number[]; readonly samples: number[] } {
  const from = [...new Set([0, ...[ALL_CHARS, ...sets].flatMap((set) => pairs(set).flatMap(([low, high]) => [low, high + 1]))])].filter((point) => point <= LAST).sort((a, b) => a - b);
  const known = new Map<string, number>();
  const samples: number[] = [];
  const classes = from.map((point) => {
    if (!isIn(ALL_CHARS, point)) return NONE;
    const key = sets.map((set) => Number(isIn(set, point))).join("");
    let own = known.get(key);
    if (own === undefined) {
      known.set(key, (own = samples.length));
      samples.push(point);
    }
    return own;
  });
  return { from, classes, samples };
}
