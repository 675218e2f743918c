/**
 * A language model small enough to read: it has something to say, and else depends on the last two tokens. A whole
 * decoder, for tests of what stands on one.
 *
 * - `saying` is likely to come; whoever is made to leave it goes on where most of what was last said stands in it.
 * - `computed` counts the tokens that were fed, so that a test sees what was reused.
 */
import { LeaseholdError } from "../../client/errors.ts";
import type { Decoder, NextToken, SavedSequence } from "../../client/runtime/decode/decoder.ts";
import type { Step } from "../../client/runtime/tasks/task.ts";

export interface BigramOptions {
  readonly vocabulary: number;
  readonly contextLength?: number;
  /** The tokens that it likes to say. */
  readonly saying?: readonly number[];
}

export class BigramDecoder implements Decoder {
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly memoryBytes = 0;
  readonly description: string = "two tokens decide";
  computed = 0;
  isSteady = false;
  #ids: number[] = [];
  readonly #saying: readonly number[];

  constructor({ vocabulary, contextLength = 4096, saying = [] }: BigramOptions) {
    this.vocabulary = vocabulary;
    this.contextLength = contextLength;
    this.#saying = saying;
  }

  steady(isSteady: boolean): void {
    this.isSteady = isSteady;
  }

  get position(): number {
    return this.#ids.length;
  }

  get ids(): readonly number[] {
    return this.#ids;
  }

  async feed(ids: Int32Array, step: Step): Promise<NextToken> {
    if (this.#ids.length + ids.length > this.contextLength) throw new LeaseholdError("context-length-exceeded", "too long");
    for (const id of ids) {
      await step();
      this.#ids.push(id);
      this.computed++;
    }
    const logits = this.#logits();
    const order = () => [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);
    return {
      greedy: async () => order()[0] as number,
      logits: async () => logits.slice(),
      top: async (count) => {
        const best = order().slice(0, count);
        return { ids: Int32Array.from(best), logits: Float32Array.from(best, (id) => logits[id] as number), logSumExp: Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) };
      },
    };
  }

  async truncate(length: number): Promise<void> {
    this.#ids.length = Math.min(length, this.#ids.length);
  }

  async save(): Promise<SavedSequence> {
    return { length: this.#ids.length, type: "float32", bytes: [new Uint8Array(Int32Array.from(this.#ids).buffer)] };
  }

  async restore({ bytes: [bytes] }: SavedSequence): Promise<void> {
    this.#ids = bytes ? [...new Int32Array(bytes.slice().buffer)] : [];
  }

  async close(): Promise<void> {
    this.#ids = [];
  }

  #logits(): Float32Array {
    const [before = 0, last = 0] = this.#ids.slice(-2);
    const logits = Float32Array.from({ length: this.vocabulary }, (_, id) => (Math.imul(before * 31 + last * 17 + id * 7 + 1, 0x9e3779b1) >>> 24) / 64);
    const next = this.#saying[this.#place()];
    if (next !== undefined) logits[next] = 20;
    return logits;
  }

  /** How far the saying has come: where the most of what was last said is said in it. */
  #place(): number {
    let best = { place: 0, length: 0 };
    for (let at = 0; at < this.#saying.length - 1; at++) {
      let length = 0;
      while (length <= at && this.#saying[at - length] === this.#ids[this.#ids.length - 1 - length]) length++;
      const isEnough = length > 1 || (length === 1 && at === 0);
      if (isEnough && length > best.length) best = { place: at + 1, length };
    }
    return best.place;
  }
}
