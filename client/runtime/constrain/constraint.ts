/**
 * Holds one answer to its rules: which tokens may come next, and whether it may end here.
 *
 * - Masks are kept by state: inside a string they are all the same.
 * - A vocabulary that can't spell what must come next is `model-invalid`: nothing wrong is let through instead.
 */
import { LeaseholdError } from "../../errors.ts";
import type { TokenMask } from "../sampling/sampler.ts";
import { Automaton, DEAD, type State } from "./automaton.ts";
import type { Rule } from "./rules.ts";
import type { Vocabulary } from "./vocabulary.ts";

const KEPT_MASKS = 256;

/** A machine and its masks, for all answers to the same rules. */
export class Constraint {
  readonly automaton: Automaton;
  readonly #vocabulary: Vocabulary;
  readonly #ends: readonly number[];
  /** Of states that somebody can still come to. */
  #masks = new WeakMap<State, TokenMask>();
  #kept = 0;

  /** `ends`: the tokens that end an answer. */
  constructor(rule: Rule, vocabulary: Vocabulary, ends: readonly number[]) {
    this.automaton = new Automaton(rule);
    this.#vocabulary = vocabulary;
    this.#ends = ends;
  }

  begin(): ConstrainedText {
    return new ConstrainedText(this);
  }

  mask(state: State): TokenMask {
    let mask = this.#masks.get(state);
    if (!mask) {
      mask = new Uint32Array(Math.ceil(this.#vocabulary.size / 32));
      let fitting = this.#vocabulary.fitting(this.automaton, state, mask);
      if (state.mayEnd) {
        for (const end of this.#ends) mask[end >>> 5] = (mask[end >>> 5] ?? 0) | (1 << (end & 31));
        fitting += this.#ends.length;
      }
      if (fitting === 0) throw new LeaseholdError("model-invalid", "The model's vocabulary can't spell what the JSON schema asks for.");
      if (++this.#kept > KEPT_MASKS) {
        this.#masks = new WeakMap();
        this.#kept = 1;
      }
      this.#masks.set(state, mask);
    }
    return mask;
  }

  spelling(token: number): Uint8Array | null {
    return this.#vocabulary.spelling(token);
  }
}

export class ConstrainedText {
  readonly #constraint: Constraint;
  #state: State;

  constructor(constraint: Constraint) {
    this.#constraint = constraint;
    this.#state = constraint.automaton.start;
  }

  mask(): TokenMask {
    return this.#constraint.mask(this.#state);
  }

  accept(token: number): void {
    const bytes = this.#constraint.spelling(token);
    const next = bytes ? this.#constraint.automaton.walk(this.#state, bytes) : DEAD;
    if (next === DEAD) throw new Error("a token was taken that the mask forbids");
    this.#state = next;
  }

  /** Takes text that is there already; false where it breaks the rules. */
  take(bytes: Uint8Array): boolean {
    this.#state = this.#constraint.automaton.walk(this.#state, bytes);
    return this.#state !== DEAD;
  }

  /** Whether it is whole and nothing can be added. */
  get isOver(): boolean {
    return this.#constraint.automaton.isLast(this.#state);
  }
}
