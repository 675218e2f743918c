/**
 * A decoder model that can be stepped: what text generation stands on. Worker side.
 *
 * - It holds one sequence: the tokens whose keys and values (KV) are computed. `feed` appends to it.
 * - Several conversations on one model: keep the tokens of each; before a turn, `truncate` to the common prefix and
 *   feed the rest. Where two take turns often, `save` and `restore` cost a copy (SmolLM2-135M on kernels: 24 KB a token)
 *   instead of a prefill.
 * - Calls never overlap; the caller awaits each.
 * - An abort leaves the sequence at `position`, whole and usable: what was fed before the abort stays.
 * - After any other error the engine's state is unknown: the worker is to be ended.
 */
import type { SelfTest } from "../../../schema/contract/self-test.ts";
import type { Scores } from "../kernels/scores.ts";
import type { Step } from "../tasks/task.ts";

export interface Decoder {
  /** Logits per token. May be more than the tokenizer knows. */
  readonly vocabulary: number;
  /** The most tokens that the sequence can hold here: the model's own limit, or less where memory is short. */
  readonly contextLength: number;
  /** Tokens in the sequence. */
  readonly position: number;
  /** Memory that model and sequence take now. */
  readonly memoryBytes: number;
  /** How many threads compute single tokens now, where that is measured. */
  readonly threads?: number;
  /** What was done to the model, and what it runs on, in plain words. */
  readonly description: string;

  /**
   * Appends tokens (at least one) and computes what comes after the last. Long inputs go in pieces; `step` is called
   * before each, so an abort comes through within one piece, and between single tokens at once.
   * Throws `context-length-exceeded` where they don't fit, with the sequence unchanged.
   */
  feed(ids: Int32Array, step: Step): Promise<NextToken>;

  /**
   * From now on the same tokens in the same pieces give the same numbers to the last bit, whatever is measured meanwhile;
   * or they need not. Where it isn't there, they always do.
   */
  steady?(isSteady: boolean): void;

  /** Forgets all tokens from `length` on. */
  truncate(length: number): Promise<void>;

  /** A copy of the sequence's KV, outside of the engine. */
  save(): Promise<SavedSequence>;
  /** Puts a saved sequence in place of the present one. */
  restore(saved: SavedSequence): Promise<void>;

  close(): Promise<void>;
}

/** What may come next. Valid until the decoder's next call. */
export interface NextToken {
  /** The likeliest token; on equal logits the one with the smallest id. */
  greedy(): Promise<number>;
  /** The `count` (1 to 64) likeliest, likeliest first. */
  top(count: number): Promise<Candidates>;
  /** All logits where they lie, to be looked at at once and left as they are; only where that is nearer than `logits`. */
  scores?(): Promise<Scores>;
  /** The same, where there is nothing to look with. */
  view?(): Promise<Float32Array>;
  /** All logits, in an array of the caller's own. On WebGPU this copies `vocabulary` × 4 bytes from the GPU. */
  logits(): Promise<Float32Array>;
}

export interface Candidates {
  readonly ids: Int32Array;
  readonly logits: Float32Array;
  /** Over the whole vocabulary: a candidate's log probability is its logit minus this. */
  readonly logSumExp: number;
}

export type KvType = "float32" | "float16";

/** One of the tensors that hold keys or values: its input, and the output that goes on with it. */
export interface KvPair {
  readonly past: string;
  readonly present: string;
  readonly heads: number;
  readonly headSize: number;
}

/** Fits only the decoder that it was saved from, and others of the same model and backend. */
export interface SavedSequence {
  readonly length: number;
  /** `int16`: rows as kernels of our own keep them. */
  readonly type: KvType | "int16";
  readonly bytes: readonly Uint8Array[];
}

export interface DecoderOptions {
  /** How much memory the model may take; decides which rewrite it gets. */
  readonly memoryBytes: number;
  /** From the manifest. Where it is missed the decoder is not opened; without one, weights are never rounded. */
  readonly selfTest?: SelfTest;
  /** Upper limit for `contextLength`. */
  readonly maxContext?: number;
  /** Tokens that a graphics device makes room for before there are any. Default: 1,024. */
  readonly firstRoom?: number;
  /** Kernels of our own are not tried: why not. */
  readonly withoutKernels?: string;
  /** Told what whoever looks should know of how it runs. Without a full stop. */
  readonly onRemark?: (remark: string) => void;
}
