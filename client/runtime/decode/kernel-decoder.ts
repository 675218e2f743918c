/**
 * A decoder that kernels of our own compute, prompts and single tokens, on a memory of its own: no onnxruntime.
 *
 * - A piece of a prompt is one run of all threads; where more follow, nothing is computed of what only logits need.
 * - Where the browser gives no more memory the text is refused with the sequence as it was, and `contextLength` says so after.
 */
import { LeaseholdError } from "../../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { Scores } from "../kernels/scores.ts";
import type { Step } from "../tasks/task.ts";
import type { Decoder, NextToken, SavedSequence } from "./decoder.ts";
import { feedInPieces, whileCurrent } from "./feeding.ts";
import type { KernelMemory } from "./kernel/memory.ts";
import type { Program } from "./kernel/program.ts";
import type { KernelThreads } from "./kernel/threads.ts";
import { candidatesOf } from "./logits.ts";

export interface KernelDecoderParts {
  readonly memory: KernelMemory;
  readonly program: Program;
  readonly kernels: Kernels;
  readonly threads: KernelThreads;
  /** How many tensors hold keys and values. */
  readonly stores: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly description: string;
}

export class KernelDecoder implements Decoder {
  readonly vocabulary: number;
  readonly description: string;
  readonly #parts: KernelDecoderParts;
  #contextLength: number;
  #position = 0;
  #isSteady = false;
  /** Counts runs, so that logits are read only while they are there. */
  #runs = 0;
  readonly #scores: Scores;

  constructor(parts: KernelDecoderParts) {
    this.vocabulary = parts.vocabulary;
    this.#contextLength = parts.contextLength;
    this.description = parts.description;
    this.#parts = parts;
    const { memory: { memory }, kernels: walks, program } = parts;
    this.#scores = new Scores({ memory, walks, at: program.logits, length: parts.vocabulary, scratch: program.lookingAt });
  }

  get contextLength(): number {
    return this.#contextLength;
  }

  get position(): number {
    return this.#position;
  }

  get threads(): number {
    return this.#parts.threads.best;
  }

  get memoryBytes(): number {
    return this.#parts.memory.byteLength;
  }

  async feed(ids: Int32Array, step: Step): Promise<NextToken> {
    let left = ids.length;
    if (this.#position + left <= this.#contextLength) this.#makeRoom(this.#position + left);
    await feedInPieces(this, ids, this.#parts.program.rows, step, (piece) => {
      left -= piece.length;
      this.#run(piece, left === 0);
    });
    const current = whileCurrent(() => this.#runs);
    const scores = () =>
      current(async () => {
        this.#scores.changed();
        return this.#scores;
      });
    return {
      greedy: async () => (await scores()).likeliest(),
      top: async (count) => candidatesOf(await scores(), count),
      scores,
      logits: async () => (await scores()).numbers.slice(),
    };
  }

  steady(isSteady: boolean): void {
    this.#isSteady = isSteady;
  }

  async truncate(length: number): Promise<void> {
    if (length >= this.#position) return;
    this.#position = length; // what lies beyond is written over
    this.#runs++;
  }

  async save(): Promise<SavedSequence> {
    return { length: this.#position, type: "int16", bytes: this.#parts.memory.save(this.#position) };
  }

  async restore({ length, type, bytes }: SavedSequence): Promise<void> {
    if (type !== "int16" || bytes.length !== this.#parts.stores) throw new Error("this sequence was saved from another model");
    this.#parts.memory.restore(length, bytes);
    this.#position = length;
    this.#runs++;
  }

  async close(): Promise<void> {
    this.#parts.threads.close();
  }

  #makeRoom(tokens: number): void {
    const { memory } = this.#parts;
    try {
      memory.reserve(tokens, this.#position);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      this.#contextLength = memory.capacity;
      throw new LeaseholdError("context-length-exceeded", `The text has ${tokens} tokens; this browser gives memory for ${memory.capacity}.`, { limit: memory.capacity, cause });
    }
  }

  #run(ids: Int32Array, wantsLogits: boolean): void {
    const { memory, threads } = this.#parts;
    const total = this.#position + ids.length;
    const places = memory.reserve(total, this.#position);
    threads.run({ ...places, rows: ids.length, past: this.#position, wantsLogits, ids }, this.#isSteady);
    this.#position = total;
    this.#runs++;
  }
}
