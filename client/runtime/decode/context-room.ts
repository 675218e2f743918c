/**
 * How long a text may be on a model here: what its memory holds of keys and values, beside all else. Pure.
 *
 * - Fewer tokens than the model was made for are stated; a model with room for hardly any is refused.
 */
import { LeaseholdError } from "../../errors.ts";

export interface ContextNeeds {
  /** The most that the model takes. */
  readonly longest: number;
  /** Of each token: keys and values, and what computing with them takes. */
  readonly tokenBytes: number;
  /** All that is there whatever the text. */
  readonly fixedBytes: number;
  readonly memoryBytes: number;
}

const LEAST_CONTEXT = 64;

export function fittingContext({ longest, tokenBytes, fixedBytes, memoryBytes }: ContextNeeds): number {
  const fits = Math.floor((memoryBytes - fixedBytes) / tokenBytes);
  const least = Math.min(LEAST_CONTEXT, longest);
  if (fits >= least) return Math.min(longest, fits);
  throw new LeaseholdError("variant-unsupported", `With room for ${least} tokens the model takes ${megabytes(fixedBytes + least * tokenBytes)}, and it may take ${megabytes(memoryBytes)} on this device. Use a smaller build of it, or allow more (pool.budgetBytes).`);
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
