/**
 * Rules as a deterministic machine over bytes, built as far as it is walked.
 *
 * - A state stands for all the ways to read what has come; equal ones are one object, among the last `MOST_STATES` or more.
 * - What was built is forgotten then, but for what whoever has a state comes to from there: a text with a length has states
 *   of its own at each character, and none of them comes again. One that does is built anew.
 * - State `DEAD` is where nothing more fits and nothing has ended.
 */
import type { Rule, Terminal } from "./rules.ts";

/** About 1 KB each. */
const MOST_STATES = 8192;

/** A rule and what comes after it; equal ones are one object. `null`: everything has come. */
interface Way {
  readonly id: number;
  readonly rule: Rule;
  readonly tail: Way | null;
}

export interface State {
  readonly ways: readonly { readonly terminal: Terminal; readonly tail: Way | null }[];
  readonly mayEnd: boolean;
  /** By byte, where it was asked for. */
  readonly next: (State | undefined)[];
}

const newState = (ways: State["ways"], mayEnd: boolean): State => ({ ways, mayEnd, next: Array.from<State | undefined>({ length: 256 }) });

export const DEAD: State = newState([], false);

export class Automaton {
  readonly #root: Rule;
  #start: State | null = null;
  readonly #ruleIds = new Map<Rule, number>();
  readonly #ways = new Map<string, Way>();
  readonly #states = new Map<string, State>();
  /** Of rules and ways: what was forgotten does not give its number to another. */
  #ids = 0;

  constructor(root: Rule) {
    this.#root = root;
  }

  get start(): State {
    return (this.#start ??= this.#stateOf([this.#way(this.#root, null)]));
  }

  /** Whether it may end and nothing can follow. */
  isLast({ mayEnd, ways }: State): boolean {
    return mayEnd && ways.every(({ terminal }) => terminal.isSpent === true);
  }

  step(state: State, byte: number): State {
    const known = state.next[byte];
    if (known) return known;
    const open: Way[] = [];
    for (const { terminal, tail } of state.ways) {
      const after = terminal.step(byte);
      if (after) open.push(this.#way(after, tail));
    }
    const next = this.#stateOf(open);
    state.next[byte] = next;
    return next;
  }

  walk(state: State, bytes: Uint8Array): State {
    let at = state;
    for (const byte of bytes) if ((at = this.step(at, byte)) === DEAD) break;
    return at;
  }

  /** Opens choices, sequences and what may end, until every way begins with a terminal. */
  #stateOf(ways: readonly Way[]): State {
    const waiting: (Way | null)[] = [...ways];
    const seen = new Set<number>();
    const open: Way[] = [];
    let mayEnd = false;
    for (let way = waiting.pop(); way !== undefined; way = waiting.pop()) {
      if (way === null) mayEnd = true;
      if (way === null || seen.has(way.id)) continue;
      seen.add(way.id);
      const { rule, tail } = way;
      switch (rule.kind) {
        case "terminal":
          open.push(way);
          if (rule.mayEnd) waiting.push(tail);
          break;
        case "choice":
          for (const option of rule.options) waiting.push(this.#way(option, tail));
          break;
        case "sequence":
          waiting.push(rule.parts.reduceRight<Way | null>((after, part) => this.#way(part, after), tail));
          break;
        case "lazy":
          waiting.push(this.#way(rule.rule(), tail));
      }
    }
    if (open.length === 0 && !mayEnd) return DEAD;
    const key = `${open.map(({ id }) => id).sort((a, b) => a - b).join()}${mayEnd ? "!" : ""}`;
    const known = this.#states.get(key);
    if (known) return known;
    if (this.#states.size >= MOST_STATES) this.#forget();
    const state = newState(open.map(({ rule, tail }) => ({ terminal: rule as Terminal, tail })), mayEnd);
    this.#states.set(key, state);
    return state;
  }

  /** The start too: from there all leads on. */
  #forget(): void {
    this.#start = null;
    this.#states.clear();
    this.#ways.clear();
    this.#ruleIds.clear();
  }

  #way(rule: Rule, tail: Way | null): Way {
    let ruleId = this.#ruleIds.get(rule);
    if (ruleId === undefined) this.#ruleIds.set(rule, (ruleId = this.#ids++));
    const key = `${ruleId}/${tail?.id ?? -1}`;
    let way = this.#ways.get(key);
    if (!way) this.#ways.set(key, (way = { id: this.#ids++, rule, tail }));
    return way;
  }
}
