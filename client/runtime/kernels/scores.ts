/**
 * The scores of a whole vocabulary, where SIMD walks through them.
 *
 * - Why: in JavaScript a sampled token is four or five walks over 50,000 numbers and as many powers of e, a millisecond
 *   of a token that takes five.
 * - They lie where they were computed, or in a room of their own that they are copied to. What was computed last is in
 *   a processor's near cache; a room for copies is not, after all the weights of a model were read.
 * - `numbers` may be changed by who says so (`changed`); what others still read is put back as it was.
 * - What is no number is an error of whoever looks, and of `load`; a largest that is infinite is one of `likeliest`: a
 *   backend that gives such logits must not go on.
 */
import { assemble } from "./assembler.ts";
import { LEAST, likeliest } from "./likeliest.ts";
import { LANES, SCORES, scoreWalks, STEP, VECTOR, type ScoreWalks } from "./score-walks.ts";

const PAGE = 65536;
const NO_NUMBERS = "the model's logits are no numbers";
/** `likeliest` takes eight numbers at least. */
const LEAST_BLOCKS = 2;
/** More than a block of nothing but −∞ weighs, where the likeliest weighs 1. */
const NOTHING = 2 ** -110;

interface Walks extends ScoreWalks {
  readonly likeliest: (x: number, count: number) => number;
}

export interface ScorePlaces {
  readonly memory: WebAssembly.Memory;
  /** Started on that memory. */
  readonly walks: Walks;
  /** The scores; behind the last there is room up to a whole step of eight. */
  readonly at: number;
  readonly length: number;
  /** Room for looking: `lookingBytes`. */
  readonly scratch: number;
}

const whole = (length: number): number => Math.ceil(length / STEP) * STEP;
const blocksOf = (length: number): number => Math.max(LEAST_BLOCKS, Math.ceil(length / SCORES));
const tableBytes = (length: number): number => VECTOR * blocksOf(length);

/** For two tables, and for where those that are found stand. */
export const lookingBytes = (length: number): number => 2 * tableBytes(length) + 4 * whole(length) + VECTOR;

export class Scores {
  readonly length: number;
  readonly #places: ScorePlaces;
  #numbers = new Float32Array();
  #isSurveyed = false;

  constructor(places: ScorePlaces) {
    this.#places = places;
    this.length = places.length;
    this.#largest.fill(-Infinity); // there may be fewer blocks than are looked at
  }

  /** Good until the memory grows. */
  get numbers(): Float32Array {
    const { memory, at } = this.#places;
    if (this.#numbers.buffer !== memory.buffer) this.#numbers = new Float32Array(memory.buffer, at, this.length);
    return this.#numbers;
  }

  changed(): void {
    this.#isSurveyed = false;
  }

  /** Looks at once, and not when somebody asks for what is seen there. */
  survey(): void {
    if (this.#isSurveyed) return;
    const { memory, walks, at, scratch } = this.#places;
    const rest = whole(this.length) - this.length;
    if (rest > 0) new Float32Array(memory.buffer, at + 4 * this.length, rest).fill(-Infinity);
    if (walks.survey(at, scratch, whole(this.length)) !== 0) throw new Error(NO_NUMBERS);
    this.#isSurveyed = true;
  }

  /** The first of the largest; throws where that is not finite. */
  likeliest(): number {
    this.survey();
    const { walks, scratch } = this.#places;
    const largest = this.#largest;
    const found = walks.likeliest(scratch, largest.length);
    const most = largest[found] ?? NaN;
    if (!Number.isFinite(most)) throw new Error(NO_NUMBERS);
    return this.numbers.indexOf(most, SCORES * Math.floor(found / LANES));
  }

  /** The sum of e^((score − most) / temperature), to a millionth or so. */
  weigh(most: number, temperature: number): number {
    this.survey();
    const { walks, at, scratch } = this.#places;
    return walks.weigh(at, scratch + tableBytes(this.length), whole(this.length), most, Math.min(Math.LOG2E / temperature, -LEAST)); // what is infinite times 0 is no number
  }

  /** Of all tokens, by their weights: the one at which these, from the first on, come to more than `chance` of their sum. */
  draw(most: number, temperature: number, chance: number): number {
    this.weigh(most, temperature);
    const { memory, scratch } = this.#places;
    const parts = new Float32Array(memory.buffer, scratch + tableBytes(this.length), LANES * Math.ceil(this.length / SCORES));
    const sums = Array.from({ length: parts.length / LANES }, (_, block) => sum(parts.subarray(LANES * block, LANES * (block + 1))));
    const { index: block, left } = reached(sums.map((part) => (part < NOTHING ? 0 : part)), chance * sum(sums));
    const weights = Array.from(this.numbers.subarray(SCORES * block, SCORES * (block + 1)), (score) => Math.exp((score - most) / temperature));
    return SCORES * block + reached(weights, left).index;
  }

  /** The tokens from `floor` up, −∞ never; until the next call. */
  above(floor: number): Uint32Array {
    this.survey();
    const { memory, walks, at, scratch } = this.#places;
    const to = scratch + 2 * tableBytes(this.length);
    return new Uint32Array(memory.buffer, to, walks.above(at, scratch, to, whole(this.length), Math.max(LEAST, floor)));
  }

  logSumExp(): number {
    const most = this.numbers[this.likeliest()] ?? NaN;
    return most + Math.log(this.weigh(most, 1));
  }

  /** Of each block, lane by lane. */
  get #largest(): Float32Array {
    const { memory, scratch } = this.#places;
    return new Float32Array(memory.buffer, scratch, LANES * blocksOf(this.length));
  }
}

/** A memory for copies, as large as the most that was loaded: a browser has room for few, and clears them away late. */
export class ScoreRoom {
  #room: { readonly memory: WebAssembly.Memory; readonly walks: Walks; readonly most: number } | null = null;
  #scores: Scores | null = null;

  /** Until the next call. */
  load(logits: Float32Array): Scores {
    const { length } = logits;
    if (this.#scores?.length !== length) this.#scores = this.#scoresOf(length);
    this.#scores.numbers.set(logits);
    this.#scores.changed();
    this.#scores.survey();
    return this.#scores;
  }

  #scoresOf(length: number): Scores {
    if (!this.#room || this.#room.most < length) this.#room = newRoom(length);
    return new Scores({ memory: this.#room.memory, walks: this.#room.walks, at: 0, length, scratch: 4 * whole(length) });
  }
}

function newRoom(most: number): { readonly memory: WebAssembly.Memory; readonly walks: Walks; readonly most: number } {
  const memory = new WebAssembly.Memory({ initial: Math.ceil((4 * whole(most) + lookingBytes(most)) / PAGE) });
  const module = new WebAssembly.Module(assemble([likeliest, ...scoreWalks], false));
  const { exports } = new WebAssembly.Instance(module, { heap: { memory } });
  return { memory, walks: exports as unknown as Walks, most };
}

const sum = (numbers: Iterable<number>): number => {
  let all = 0;
  for (const number of numbers) all += number;
  return all;
};

/** The first at which the weights come to be more than `mass`, or the last that has any; and what is left of `mass` before it. */
function reached(weights: readonly number[], mass: number): { readonly index: number; readonly left: number } {
  let [index, left, next] = [0, mass, mass];
  for (let at = 0; at < weights.length; at++) {
    const weight = weights[at] as number;
    if (weight === 0) continue;
    [index, left] = [at, next];
    next -= weight;
    if (next < 0) break;
  }
  return { index, left };
}
