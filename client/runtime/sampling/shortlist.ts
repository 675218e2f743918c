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

export function shortlist(scores: Scores, limits: Limits): Candidate[] {
  const max = scores.numbers[scores.likeliest()] ?? NaN;
  const { temperature, topK, topP, minP } = limits;
  const total = topP < 1 && topK === 0 ? scores.weigh(max, temperature).total : null;
  for (const window of WINDOWS) {
    const inside = within(scores, max, window, temperature);
    const isAll = window === Infinity || (minP > 0 && Math.exp(-window) < minP);
    if (!isAll && topK > 0 && inside.length < topK) continue;
    const kept = topK > 0 ? inside.sort(likeliestFirst).slice(0, topK) : inside;
    const mass = total ?? sum(kept);
    if (!isAll && topK === 0 && (topP >= 1 || sum(kept) < topP * mass)) continue;
    if (topK === 0 && (topP < 1 || minP > 0)) kept.sort(likeliestFirst);
    return cut(kept, topP < 1 ? topP * mass : Infinity, minP);
  }
  return []; // unreachable: the last window is infinite
}

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
