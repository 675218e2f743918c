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
  readonly #seen = new Set<number>();
  readonly #counts = new Map<number, number>();
  #scratch = new Float32Array(0);

  constructor(settings: SamplingSettings, random: Random, prompt: readonly number[]) {
    this.#settings = settings;
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
    const scores = this.#adjusted(logits, mask);
    const best = argmax(scores);
    if (temperature === 0) return best;
    if (topK === 0 && topP >= 1 && minP === 0) return drawAny(scores, scores[best] as number, temperature, this.#random());
    const candidates = shortlist(scores, { temperature, topK, topP, minP });
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

  #adjusted(logits: Float32Array, mask?: TokenMask): Float32Array {
    if (mask === undefined && this.#isBare) return logits;
    if (this.#scratch.length !== logits.length) this.#scratch = new Float32Array(logits.length);
    const scores = this.#scratch;
    scores.set(logits);
    const { repetitionPenalty, frequencyPenalty, presencePenalty, logitBias } = this.#settings;
    if (repetitionPenalty !== 1) {
      for (const token of this.#seen) change(scores, token, (score) => (score > 0 ? score / repetitionPenalty : score * repetitionPenalty));
    }
    if (frequencyPenalty !== 0 || presencePenalty !== 0) {
      for (const [token, count] of this.#counts) change(scores, token, (score) => score - count * frequencyPenalty - presencePenalty);
    }
    for (const [token, bias] of logitBias) change(scores, token, (score) => score + bias);
    if (mask !== undefined) {
      for (let token = 0; token < scores.length; token++) if (!isAllowed(mask, token)) scores[token] = -Infinity;
    }
    return scores;
  }

  get #isBare(): boolean {
    const { repetitionPenalty, frequencyPenalty, presencePenalty, logitBias } = this.#settings;
    return repetitionPenalty === 1 && frequencyPenalty === 0 && presencePenalty === 0 && logitBias.size === 0;
  }
}

/** The token's own logprob, and those of the `count` likeliest. */
export function logprobsOf(logits: Float32Array, token: number, count: number): { readonly own: TokenLogprob; readonly top: readonly TokenLogprob[] } {
  const max = logits[argmax(logits)] ?? 0;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  const norm = max + Math.log(sum);
  const at = (id: number): TokenLogprob => ({ token: id, logprob: (logits[id] ?? -Infinity) - norm });
  const top = count === 0 ? [] : shortlist(logits, { temperature: 1, topK: count, topP: 1, minP: 0 }).map((candidate) => at(candidate.token));
  return { own: at(token), top };
}

export function argmax(logits: Float32Array): number {
  let best = -1;
  let max = -Infinity;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token] as number;
    if (logit > max) {
      max = logit;
      best = token;
    } else if (Number.isNaN(logit)) best = NO_NUMBER;
    if (best === NO_NUMBER) break;
  }
  if (best < 0) throw new Error("the model's logits are no numbers");
  return best;
}
const NO_NUMBER = -2;

/** Without limits the whole vocabulary has a chance: two passes, and no list. */
function drawAny(scores: Float32Array, max: number, temperature: number, chance: number): number {
  let total = 0;
  for (const score of scores) total += Math.exp((score - max) / temperature);
  let left = chance * total;
  let last = 0;
  for (let token = 0; token < scores.length; token++) {
    const weight = Math.exp(((scores[token] as number) - max) / temperature);
    if (weight === 0) continue;
    left -= weight;
    last = token;
    if (left < 0) break;
  }
  return last;
}

function change(scores: Float32Array, token: number, by: (score: number) => number): void {
  const score = scores[token];
  if (score !== undefined) scores[token] = by(score);
}
