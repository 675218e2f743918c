/**
 * Rules as a deterministic machine over bytes, built as far as it is walked.
 *
 * - A state stands for all the ways to read what has come; equal ones are one number.
 * - State `DEAD` is where nothing more fits and nothing has ended.
 */
import type { Rule, Terminal } from "./rules.ts";

export type State = number;
export const DEAD: State = 0;

/** A rule and what comes after it; equal ones are one object. `null`: everything has come. */
interface Way {
  readonly id: number;
  readonly rule: Rule;
  readonly tail: Way | null;
}

interface Built {
  readonly ways: readonly { readonly terminal: Terminal; readonly tail: Way | null }[];
  readonly mayEnd: boolean;
  /** By byte; −1 where it was not asked for yet. */
  readonly next: Int32Array;
}

export class Automaton {
  readonly start: State;
  readonly #ruleIds = new Map<Rule, number>();
  readonly #ways = new Map<string, Way>();
  readonly #states = new Map<string, State>();
  readonly #built: Built[] = [{ ways: [], mayEnd: false, next: new Int32Array(256) }];

  constructor(root: Rule) {
    this.start = this.#stateOf([this.#way(root, null)]);
  }

  mayEnd(state: State): boolean {
    return this.#at(state).mayEnd;
  }

  /** Whether it may end and nothing can follow. */
  isLast(state: State): boolean {
    const { mayEnd, ways } = this.#at(state);
    return mayEnd && ways.every(({ terminal }) => terminal.isSpent === true);
  }

  step(state: State, byte: number): State {
    const built = this.#at(state);
    const known = built.next[byte] as number;
    if (known >= 0) return known;
    const open: Way[] = [];
    for (const { terminal, tail } of built.ways) {
      const after = terminal.step(byte);
      if (after) open.push(this.#way(after, tail));
    }
    const next = this.#stateOf(open);
    built.next[byte] = next;
    return next;
  }

  walk(state: State, bytes: Uint8Array): State {
    let at = state;
    for (const byte of bytes) if ((at = this.step(at, byte)) === DEAD) break;
    return at;
  }

  #at(state: State): Built {
    const built = this.#built[state];
    if (!built) throw new RangeError(`no state ${state}`);
    return built;
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
    let state = this.#states.get(key);
    if (state === undefined) {
      state = this.#built.length;
      this.#built.push({ ways: open.map(({ rule, tail }) => ({ terminal: rule as Terminal, tail })), mayEnd, next: new Int32Array(256).fill(-1) });
      this.#states.set(key, state);
    }
    return state;
  }

  #way(rule: Rule, tail: Way | null): Way {
    let ruleId = this.#ruleIds.get(rule);
    if (ruleId === undefined) this.#ruleIds.set(rule, (ruleId = this.#ruleIds.size));
    const key = `${ruleId}/${tail?.id ?? -1}`;
    let way = this.#ways.get(key);
    if (!way) this.#ways.set(key, (way = { id: this.#ways.size, rule, tail }));
    return way;
  }
}
