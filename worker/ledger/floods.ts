/**
 * Tells a flood of refusals from refusals as they come in any life. In memory alone: it decides who is asked, never what
 * is granted.
 *
 * - Each refusal warms its reason by one; half of the warmth is gone after a second. A flood is `HOT`, which some 14
 *   refusals a second keep up.
 */
import type { ProblemCode } from "../../schema/contract/problems.ts";

const HOT = 20;
const HALVED_MS = 1_000;

interface Warmth {
  readonly value: number;
  readonly at: number;
}

export class Floods {
  readonly #warmths = new Map<ProblemCode, Warmth>();

  add(code: ProblemCode, refusals: number, now: number): void {
    this.#warmths.set(code, { value: this.#at(code, now) + refusals, at: now });
  }

  isFlood(code: ProblemCode, now: number): boolean {
    return this.#at(code, now) >= HOT;
  }

  #at(code: ProblemCode, now: number): number {
    const warmth = this.#warmths.get(code);
    return warmth ? warmth.value * 2 ** (-Math.max(0, now - warmth.at) / HALVED_MS) : 0;
  }
}
