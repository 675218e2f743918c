/**
 * From a step's logits to its token.
 *
 * - The same settings, seed and logits give the same tokens.
 * - In this order: repetition penalty (prompt and answer), frequency and presence penalties (answer), bias, mask,
 *   temperature, top-k, top-p, min-p. Temperature 0 takes the best; of equals the lowest id.
 * - A token that the mask forbids is never taken, whatever its logit.
 * - Logprobs are those of the model, before penalties, bias, mask and temperature.
 * - Logits that are no numbers are an error: a backend that gives them must not go on.
 */
import type { Scores } from "../kernels/scores.ts";
import { shortlist } from "./shortlist.ts";
import type { Random } from "./random.ts";

export interface SamplingSettings {
  readonly temperature: number;
  /** 0: no limit. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  readonly logitBias: ReadonlyMap<number, number>;
}

export const GREEDY: SamplingSettings = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, frequencyPenalty: 0, presencePenalty: 0, logitBias: new Map() };

/** Bit t of word t / 32: token t may come next. */
export type TokenMask = Uint32Array;
export const isAllowed = (mask: TokenMask, token: number): boolean => (((mask[token >>> 5] ?? 0) >>> (token & 31)) & 1) === 1;

export interface TokenLogprob {
  readonly token: number;
  readonly logprob: number;
}

/** Decoders give no more than this without all the logits. */
const MOST_OF_TOP = 64;

export class Sampler {
  readonly #settings: SamplingSettings;
  readonly #random: Random;
  readonly #scores: Scores;
  readonly #seen = new Set<number>();
  readonly #counts = new Map<number, number>();

  /** `scores`: to look with; samplers that take turns may share it. */
  constructor(settings: SamplingSettings, random: Random, prompt: readonly number[], scores: Scores) {
    this.#settings = settings;
    this.#scores = scores;
    this.#random = random;
    if (settings.repetitionPenalty !== 1) for (const token of prompt) this.#seen.add(token);
  }

  /** Whether the best logit is all that counts, so that it may be found where the logits are. */
  get isPlain(): boolean {
    const { temperature, repetitionPenalty, frequencyPenalty, presencePenalty, logitBias } = this.#settings;
    return temperature === 0 && repetitionPenalty === 1 && frequencyPenalty === 0 && presencePenalty === 0 && logitBias.size === 0;
  }

  /** How many of the likeliest tokens are all that sampling can choose from; 0: all of them. */
  get enough(): number {
    const { temperature, topK } = this.#settings;
    return this.#isBare && temperature > 0 && topK > 0 && topK <= MOST_OF_TOP ? topK : 0;
  }

  /** As `next`, from the `enough` likeliest. */
  nextOf({ ids, logits }: { readonly ids: Int32Array; readonly logits: Float32Array }): number {
    return ids[this.next(logits)] as number;
  }

  next(logits: Float32Array, mask?: TokenMask): number {
    const { temperature, topK, topP, minP } = this.#settings;
    const scores = this.#scores;
    scores.load(logits);
    this.#adjust(scores.numbers, mask);
    const best = scores.likeliest();
    if (temperature === 0) return best;
    if (topK === 0 && topP >= 1 && minP === 0) return drawAny(scores.weigh(scores.numbers[best] as number, temperature), this.#random());
    const candidates = shortlist(scores, { temperature, topK, topP, minP }, best);
    let left = this.#random() * candidates.reduce((sum, { weight }) => sum + weight, 0);
    for (const { token, weight } of candidates) {
      left -= weight;
      if (left < 0) return token;
    }
    return best; // rounding ate the last crumb
  }

  /** Counts a token of the answer. */
  accept(token: number): void {
    this.#seen.add(token);
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
  }

  #adjust(scores: Float32Array, mask: TokenMask | undefined): void {
    const { repetitionPenalty, frequencyPenalty, presencePenalty, logitBias } = this.#settings;
    if (repetitionPenalty !== 1) {
      for (const token of this.#seen) change(scores, token, (score) => (score > 0 ? score / repetitionPenalty : score * repetitionPenalty));
    }
    if (frequencyPenalty !== 0 || presencePenalty !== 0) {
      for (const [token, count] of this.#counts) change(scores, token, (score) => score - count * frequencyPenalty - presencePenalty);
    }
    for (const [token, bias] of logitBias) change(scores, token, (score) => score + bias);
    if (mask !== undefined) forbid(scores, mask);
  }

  get #isBare(): boolean {
    const { repetitionPenalty, frequencyPenalty, presencePenalty, logitBias } = this.#settings;
    return repetitionPenalty === 1 && frequencyPenalty === 0 && presencePenalty === 0 && logitBias.size === 0;
  }
}

/** The token's own logprob, and those of the `count` likeliest. `scores`: to look with. */
export function logprobsOf(logits: Float32Array, token: number, count: number, scores: Scores): { readonly own: TokenLogprob; readonly top: readonly TokenLogprob[] } {
  scores.load(logits);
  const norm = scores.logSumExp();
  const at = (id: number): TokenLogprob => ({ token: id, logprob: (logits[id] ?? -Infinity) - norm });
  const top = count === 0 ? [] : shortlist(scores, { temperature: 1, topK: count, topP: 1, minP: 0 }).map((candidate) => at(candidate.token));
  return { own: at(token), top };
}

/** Without limits the whole vocabulary has a chance. */
function drawAny({ weights, total }: { readonly weights: Float32Array; readonly total: number }, chance: number): number {
  let left = chance * total;
  let last = 0;
  for (let token = 0; token < weights.length; token++) {
    const weight = weights[token] as number;
    if (weight === 0) continue;
    left -= weight;
    last = token;
    if (left < 0) break;
  }
  return last;
}

/** Word by word: most forbid all of their tokens. */
function forbid(scores: Float32Array, mask: TokenMask): void {
  for (let first = 0; first < scores.length; first += 32) {
    const word = mask[first >>> 5] ?? 0;
    const end = Math.min(first + 32, scores.length);
    if (word === 0) scores.fill(-Infinity, first, end);
    else if (word !== ALL) for (let token = first; token < end; token++) if (!isAllowed(mask, token)) scores[token] = -Infinity;
  }
}
const ALL = 0xffffffff;

function change(scores: Float32Array, token: number, by: (score: number) => number): void {
  const score = scores[token];
  if (score !== undefined) scores[token] = by(score);
}
