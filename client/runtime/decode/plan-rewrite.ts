/**
 * Which form of its weights a decoder gets on WASM. Pure.
 *
 * - "float32": the same answers as the model's own, ten times as fast; needs most memory.
 * - "int8": about as fast, at a quarter of that; rounds once more. Only for a model whose self-test shows that it may.
 * - "as-is": slow where weights are in blocks, but it fits.
 * - Memory counts twice what is largest: while a session starts, a matrix is there in two forms.
 */
export type WeightForm = "float32" | "int8" | "as-is";

export interface RewriteSizes {
  /** All weights, as the model has them. */
  readonly original: number;
  /** Those in blocks, as the model has them. */
  readonly blocks: number;
  readonly float32: number;
  readonly int8: number;
  /** Keys and values of a text of usual length. */
  readonly kv: number;
}

export interface RewriteChoice {
  readonly form: WeightForm;
  readonly why: string;
}

/** What onnxruntime takes beside weights, and rounding up of a heap that grows in steps. */
const OVERHEAD = 1.35;
const FIXED = 64 * 1024 * 1024;
/** A 32-bit heap. */
const ADDRESSABLE = 4 * 1024 ** 3 - 128 * 1024 * 1024;

export function planRewrite(sizes: RewriteSizes, budget: number, mayRound: boolean): RewriteChoice {
  if (sizes.blocks === 0) return { form: "as-is", why: "its weights are not in blocks" };
  const room = Math.min(budget, ADDRESSABLE);
  const need = (weights: number) => Math.ceil((sizes.original - sizes.blocks + weights) * OVERHEAD + sizes.kv + FIXED);
  const most = need(sizes.float32);
  if (most <= room) return { form: "float32", why: `full weights take ${megabytes(most)} of ${megabytes(room)}` };
  const why = `full weights would take ${megabytes(most)}, and there are ${megabytes(room)}`;
  return { form: mayRound && need(sizes.int8) <= room ? "int8" : "as-is", why };
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
