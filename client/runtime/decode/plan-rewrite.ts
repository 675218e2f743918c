/**
 * Which form of its weights a decoder gets on WASM. Pure.
 *
 * - "float32": the same answers as the model's own, ten times as fast; needs most memory.
 * - "int8": about as fast, at a quarter of that; rounds once more. Only for a model whose self-test shows that it may.
 * - "as-is": slow where weights are in blocks, but it fits. With kernels for single tokens only prompts are slow.
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
  /** What kernels for single tokens take beside the session; 0 where they can't compute this model. */
  readonly tokens: number;
  /** Keys and values of a text of usual length. */
  readonly kv: number;
}

export interface RewriteChoice {
  readonly form: WeightForm;
  /** Whether kernels compute single tokens. */
  readonly hasKernels: boolean;
  readonly why: string;
}

/** What onnxruntime takes beside weights, and rounding up of a heap that grows in steps. */
const OVERHEAD = 1.35;
const FIXED = 64 * 1024 * 1024;
/** A 32-bit heap. */
const ADDRESSABLE = 4 * 1024 ** 3 - 128 * 1024 * 1024;

export function planRewrite(sizes: RewriteSizes, budget: number, mayRound: boolean): RewriteChoice {
  if (sizes.blocks === 0) return { form: "as-is", hasKernels: false, why: "its weights are not in blocks" };
  const room = Math.min(budget, ADDRESSABLE);
  const rest = sizes.original - sizes.blocks;
  const need = (weights: number, kernels = 0) => Math.ceil((rest + weights) * OVERHEAD + kernels + sizes.kv + FIXED);
  const fits = (bytes: number): boolean => bytes <= room;
  const hasKernels = sizes.tokens > 0;
  const most = need(sizes.float32, sizes.tokens);
  if (fits(most)) return { form: "float32", hasKernels, why: `full weights take ${megabytes(most)} of ${megabytes(room)}` };
  const tooLarge = `full weights would take ${megabytes(most)}, and there are ${megabytes(room)}`;
  if (hasKernels && fits(need(sizes.blocks, sizes.tokens))) return { form: "as-is", hasKernels, why: tooLarge };
  if (fits(need(sizes.float32))) return { form: "float32", hasKernels: false, why: tooLarge };
  if (mayRound && fits(need(sizes.int8))) return { form: "int8", hasKernels: false, why: tooLarge };
  return { form: "as-is", hasKernels: false, why: tooLarge };
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
