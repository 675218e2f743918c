/**
 * The tokens that sampling chooses among, likeliest first.
 *
 * - Top-k, then top-p of what that left, then min-p; the likeliest always stays.
 * - Of equal scores the lower id comes first, so that a seed gives the same text everywhere.
 * - Sorting a whole vocabulary costs more than a small model's step. So only tokens within a window below the best
 *   are sorted, and the window grows until it holds all that the limits could let through. They are sorted as numbers
 *   that say score and id: with no function called for each pair.
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
const WINDOWS = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, Infinity] as const;

/** `best`: the likeliest, for who knows it. */
export function shortlist(scores: Scores, limits: Limits, best = scores.likeliest()): Candidate[] {
  const max = scores.numbers[best] ?? NaN;
  const { temperature, topK, topP, minP } = limits;
  const weight = (score: number): number => Math.exp((score - max) / temperature);
  if (topK > 0) {
    const kept = likeliestFirst(scores, max - windowOf(scores, max, limits) * temperature).slice(0, topK);
    const mass = topP < 1 ? topP * kept.reduce((sum, token) => sum + weight(scores.numbers[token] as number), 0) : Infinity;
    return cut(scores, kept, weight, mass, minP);
  }
  const mass = topP < 1 ? topP * scores.weigh(max, temperature) : Infinity;
  return cut(scores, likeliestFirst(scores, floorOf(scores, max, limits, weight, mass)), weight, mass, minP);
}

/** So low that what the limits let through is above. */
function floorOf(scores: Scores, max: number, { temperature, minP }: Limits, weight: (score: number) => number, mass: number): number {
  const { numbers } = scores;
  let [sum, former] = [0, Infinity];
  for (const window of WINDOWS) {
    const floor = Math.fround(max - window * temperature);
    if (window === Infinity || (minP > 0 && Math.exp(-window) < minP)) return floor;
    if (mass === Infinity) continue;
    for (const token of scores.above(floor)) {
      const score = numbers[token] as number;
      if (score < former) sum += weight(score);
    }
    if (sum >= mass) return floor;
    former = floor;
  }
  return -Infinity;
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

function cut({ numbers }: Scores, tokens: readonly number[], weightOf: (score: number) => number, mass: number, minP: number): Candidate[] {
  let sumSoFar = 0;
  const kept: Candidate[] = [];
  for (const token of tokens) {
    const weight = weightOf(numbers[token] as number);
    if (kept.length > 0 && (sumSoFar >= mass || weight < minP)) break;
    sumSoFar += weight;
    kept.push({ token, weight });
  }
  return kept;
}

/** More than any vocabulary has; with a score's 32 bits before it, it fits into the 53 of a whole number. */
const IDS = 2 ** 21;
const SIGN = 2 ** 31;

function likeliestFirst(scores: Scores, floor: number): number[] {
  const { numbers } = scores;
  const tokens = scores.above(floor);
  const kept = new Float32Array(tokens.length);
  for (let at = 0; at < tokens.length; at++) kept[at] = (numbers[tokens[at] as number] as number) + 0; // −0 is 0
  const bits = new Uint32Array(kept.buffer);
  const keys = new Float64Array(tokens.length);
  for (let at = 0; at < tokens.length; at++) keys[at] = descending(bits[at] as number) * IDS + (tokens[at] as number);
  keys.sort();
  const sorted: number[] = [];
  for (const key of keys) sorted.push(key % IDS);
  return sorted;
}

/** A float's bits as a number that is smaller for a larger float. */
const descending = (bits: number): number => (bits >= SIGN ? bits : SIGN - 1 - bits);
