/**
 * The tokens that sampling chooses among, likeliest first.
 *
 * - Top-k, then top-p of what that left, then min-p; the likeliest always stays.
 * - Of equal scores the lower id comes first, so that a seed gives the same text everywhere.
 * - Sorting a whole vocabulary costs more than a small model's step. So only tokens within a window below the best
 *   are sorted, and the window grows until it holds all that the limits could let through.
 */
import type { Scores } from "../kernels/scores.ts";

export interface Limits {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
}

export interface Candidate {
  readonly token: number;
  /** Relative to the likeliest, which has 1. */
  readonly weight: number;
}

/** In units of the scaled logit: e⁻² is an eighth of the likeliest token, e⁻¹⁶ nothing to speak of. */
const WINDOWS = [1, 2, 4, 8, 16, Infinity] as const;

/** `best`: the likeliest, for who knows it. */
export function shortlist(scores: Scores, limits: Limits, best = scores.likeliest()): Candidate[] {
  const max = scores.numbers[best] ?? NaN;
  const { temperature, topK, topP, minP } = limits;
  if (topK > 0) {
    const kept = within(scores, max, windowOf(scores, max, limits), temperature).sort(likeliestFirst).slice(0, topK);
    return cut(kept, topP < 1 ? topP * sum(kept) : Infinity, minP);
  }
  const mass = topP < 1 ? topP * scores.weigh(max, temperature).total : Infinity;
  for (const window of WINDOWS) {
    const inside = within(scores, max, window, temperature);
    const isAll = window === Infinity || (minP > 0 && Math.exp(-window) < minP);
    if (!isAll && !(sum(inside) >= mass)) continue;
    if (topP < 1 || minP > 0) inside.sort(likeliestFirst);
    return cut(inside, mass, minP);
  }
  return []; // unreachable: the last window is infinite
}

/** One with at least `topK` tokens inside, and not many more. */
function windowOf(scores: Scores, max: number, { temperature, topK }: Limits): number {
  const isEnough = (window: number): boolean => scores.above(max - window * temperature).length >= topK;
  let high = 1;
  while (!isEnough(high)) {
    high *= 2;
    if (high > WIDEST) return Infinity;
  }
  let low = high / 2;
  for (let step = 0; step < HALVINGS; step++) {
    const middle = (low + high) / 2;
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}
const [WIDEST, HALVINGS] = [64, 4];

function cut(candidates: readonly Candidate[], mass: number, minP: number): Candidate[] {
  let sumSoFar = 0;
  let end = 0;
  while (end < candidates.length) {
    const { weight } = candidates[end] as Candidate;
    if (end > 0 && (sumSoFar >= mass || weight < minP)) break;
    sumSoFar += weight;
    end++;
  }
  return candidates.slice(0, end);
}

function within(scores: Scores, max: number, window: number, temperature: number): Candidate[] {
  const { numbers } = scores;
  return Array.from(scores.above(max - window * temperature), (token) => ({ token, weight: Math.exp(((numbers[token] ?? -Infinity) - max) / temperature) }));
}

const sum = (candidates: readonly Candidate[]): number => candidates.reduce((total, { weight }) => total + weight, 0);
const likeliestFirst = (a: Candidate, b: Candidate): number => b.weight - a.weight || a.token - b.token;
