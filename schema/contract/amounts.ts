/**
 * Amounts: whole LLM tokens, whole bytes, and nano-dollars (10⁻⁹ USD) for money. All are safe integers.
 * A JSON number that is not one (0.5, "7", null, 1e999, 2^53) is refused with `invalid-request`.
 */
import { z } from "zod";

/** Safe integer ≥ 1. */
export const positiveAmount = z.int().min(1).max(Number.MAX_SAFE_INTEGER);
/** Safe integer ≥ 0. */
export const amount = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/**
 * What one lease may hold. 1,157 tokens in each second of an offline day; and where a tenant has no limit of tokens, it
 * takes 90 million leases, not one, to fill what can be counted in a month.
 */
export const MAX_LEASE_TOKENS = 100_000_000;

export const tokens = positiveAmount.max(MAX_LEASE_TOKENS).meta({ description: "LLM tokens, input and output together: at most 100,000,000 a lease.", example: 2000 });

export const money = z
  .object({ currency: z.literal("USD"), nanos: amount.meta({ description: "10⁻⁹ dollars." }) })
  .meta({ id: "Money", description: "Money in nano-dollars.", example: { currency: "USD", nanos: 1500000 } });
export type Money = z.infer<typeof money>;

export const usd = (nanos: number): Money => ({ currency: "USD", nanos });

/** RFC 3339 in UTC, whole seconds or milliseconds. */
export const timestamp = z.iso.datetime().meta({ description: "RFC 3339, UTC.", example: "2026-11-22T00:00:00Z" });

/** The last instant that RFC 3339 can write. */
export const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** `2026-11-23T00:00:00Z`: RFC 3339 without milliseconds where they are zero. */
export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
