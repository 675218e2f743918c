/**
 * How usage is counted, the same code on both sides. Pure.
 *
 * - Images: ⌈width × height / 750⌉ tokens of the image as processed (after any down-scaling), at least 1.
 * - Arbitrary tensors: a fixed number per run, stated in the manifest.
 * - Text: tokenizer tokens in and out, counted where the tokenizer runs.
 */
import type { Prices } from "./models.ts";

export const PIXELS_PER_TOKEN = 750;

/** Tokens of an image of `width` × `height` pixels as processed. Throws RangeError unless both are whole and ≥ 1. */
export function imageTokens(width: number, height: number): number {
  if (!Number.isSafeInteger(width) || !Number.isSafeInteger(height) || width < 1 || height < 1) {
    throw new RangeError("width and height are whole pixels, at least 1");
  }
  return Math.ceil((width * height) / PIXELS_PER_TOKEN);
}

export interface Used {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly calls: number;
}

/**
 * Cost in nano-dollars. Computed in BigInt; null where the result is no safe integer.
 */
export function costNanos(used: Used, prices: Prices): number | null {
  const nanos =
    BigInt(used.inputTokens) * BigInt(prices.input_nanos_per_token) +
    BigInt(used.outputTokens) * BigInt(prices.output_nanos_per_token) +
    BigInt(used.calls) * BigInt(prices.call_nanos ?? 0);
  return nanos <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(nanos) : null;
}

/** The most that a hold can cost: all of it at the dearer of the two prices, and its calls. */
export function ceilingNanos(holdTokens: number, prices: Prices, calls = 1): number | null {
  const dearer = Math.max(prices.input_nanos_per_token, prices.output_nanos_per_token);
  return costNanos({ inputTokens: holdTokens, outputTokens: 0, calls }, { ...prices, input_nanos_per_token: dearer });
}
