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
import type { ScoreRoom, Scores } from "../kernels/scores.ts";
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
  readonly #room: ScoreRoom;
  readonly #seen = new Set<number>();
  readonly #counts = new Map<number, number>();

  /** `room`: samplers that take turns may share it. */
  constructor(settings: SamplingSettings, random: Random, prompt: readonly number[], room: ScoreRoom) {
    this.#settings = settings;
    this.#room = room;
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
    const scores = this.#room.load(logits);
    this.#adjust(scores.numbers, () => undefined);
    if (mask !== undefined) forbid(scores.numbers, mask);
    scores.changed();
    return this.#choose(scores);
  }

  /** As `next`, of scores that are afterwards as they were. */
  nextAmong(scores: Scores): number {
    const { numbers } = scores;
    const before: (readonly [token: number, score: number])[] = [];
    try {
      this.#adjust(numbers, (token, score) => before.push([token, score]));
      scores.changed();
      return this.#choose(scores);
    } finally {
      for (const [token, score] of before.reverse()) numbers[token] = score;
      scores.changed();
    }
  }

  /** Counts a token of the answer. */
  accept(token: number): void {
    this.#seen.add(token);
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
  }

  #choose(scores: Scores): number {
    const { temperature, topK, topP, minP } = this.#settings;
    const best = scores.likeliest();
    if (temperature === 0) return best;
    if (topK === 0 && topP >= 1 && minP === 0) return scores.draw(scores.numbers[best] as number, temperature, this.#random());
    const candidates = shortlist(scores, { temperature, topK, topP, minP }, best);
    let left = this.#random() * candidates.reduce((sum, { weight }) => sum + weight, 0);
    for (const { token, weight } of candidates) {
      left -= weight;
      if (left < 0) return token;
    }
    return best; // rounding ate the last crumb
  }

  /** `onChange`: told of what each was before. */
  #adjust(scores: Float32Array, onChange: (token: number, before: number) => void): void {
    const change = (token: number, by: (score: number) => number): void => {
      const score = scores[token];
      if (score === undefined) return;
      onChange(token, score);
      scores[token] = by(score);
    };
    const { repetitionPenalty, frequencyPenalty, presencePenalty, logitBias } = this.#settings;
    if (repetitionPenalty !== 1) {
      for (const token of this.#seen) change(token, (score) => (score > 0 ? score / repetitionPenalty : score * repetitionPenalty));
    }
    if (frequencyPenalty !== 0 || presencePenalty !== 0) {
      for (const [token, count] of this.#counts) change(token, (score) => score - count * frequencyPenalty - presencePenalty);
    }
    for (const [token, bias] of logitBias) change(token, (score) => score + bias);
  }

  get #isBare(): boolean {
    const { repetitionPenalty, frequencyPenalty, presencePenalty, logitBias } = this.#settings;
    return repetitionPenalty === 1 && frequencyPenalty === 0 && presencePenalty === 0 && logitBias.size === 0;
  }
}

/** The token's own logprob, and those of the `count` likeliest. */
export function logprobsOf(scores: Scores, token: number, count: number): { readonly own: TokenLogprob; readonly top: readonly TokenLogprob[] } {
  const norm = scores.logSumExp();
  const at = (id: number): TokenLogprob => ({ token: id, logprob: (scores.numbers[id] ?? -Infinity) - norm });
  const top = count === 0 ? [] : shortlist(scores, { temperature: 1, topK: count, topP: 1, minP: 0 }).map((candidate) => at(candidate.token));
  return { own: at(token), top };
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
