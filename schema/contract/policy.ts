/**
 * A tenant's limits. `null` means no limit of that kind; a limit of 0 refuses everything.
 * Days and months are those of `time_zone` (IANA name).
 */
import { z } from "zod";
import { amount } from "./amounts.ts";

const limit = (description: string) => amount.nullable().default(null).meta({ description });

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}

export const policy = z
  .strictObject({
    daily_token_limit: limit("LLM tokens a day."),
    monthly_token_limit: limit("LLM tokens a calendar month."),
    tokens_per_minute: limit("LLM tokens in any 60 seconds."),
    requests_per_minute: limit("Leases granted in any 60 seconds."),
    concurrent_leases: limit("Leases active at one time."),
    per_user_daily_tokens: limit("LLM tokens a day for one user. Leases that name no user share one such allowance."),
    monthly_spend_limit: limit("Nano-dollars a calendar month."),
    model_quota: limit("Models with a live revision."),
    storage_bytes: limit("Bytes of blobs stored."),
    egress_bytes_daily: limit("Bytes of blobs sent a day."),
    time_zone: z.string().refine(isTimeZone, "an IANA time zone name").default("UTC"),
    offline_leases: z.boolean().default(false).meta({ description: "Whether offline leases (ttl_s up to 86,400) are granted." }),
  })
  .meta({ id: "Policy" });
export type Policy = z.infer<typeof policy>;

export const DEFAULT_POLICY: Policy = policy.parse({});

/** One limit as it stands. `remaining` = limit − held − posted; all three are null-safe: no limit, no remaining. */
export const balance = z
  .object({
    limit: amount.nullable(),
    held: amount,
    posted: amount,
    remaining: amount.nullable(),
    reset: z.iso.datetime().nullable().meta({ description: "When the window ends; null where it doesn't." }),
  })
  .meta({ id: "Balance" });
export type Balance = z.infer<typeof balance>;

export const quota = z
  .object({
    daily_token_limit: balance,
    monthly_token_limit: balance,
    tokens_per_minute: balance,
    requests_per_minute: balance,
    concurrent_leases: balance,
    per_user_daily_tokens: balance
      .extend({ shared: z.literal(true).optional().meta({ description: "No user was named, and this is what all leases without one share." }) })
      .optional()
      .meta({ description: "Where a user is named; of a lease without one, where the limit is set." }),
    key_daily_token_limit: balance.optional().meta({ description: "Where a key is named that has a limit of its own; so are the four that follow." }),
    key_monthly_token_limit: balance.optional(),
    key_tokens_per_minute: balance.optional(),
    key_requests_per_minute: balance.optional(),
    key_concurrent_leases: balance.optional(),
    monthly_spend_limit: balance,
    model_quota: balance,
    storage_bytes: balance,
    egress_bytes_daily: balance,
  })
  .meta({ id: "Quota" });
export type Quota = z.infer<typeof quota>;
