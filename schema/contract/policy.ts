/**
 * A tenant's limits. `null` means no limit of that kind; a limit of 0 refuses everything.
 * Days and months are those of `time_zone` (IANA name).
 */
import { z } from "zod";
import { amount } from "./amounts.ts";

const limit = (description: string) => amount.nullable().meta({ description });

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}

const limits = {
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
};
const timeZone = z.string().refine(isTimeZone, "an IANA time zone name");
const offlineLeases = z.boolean().meta({ description: "Whether offline leases (ttl_s up to 86,400) are granted." });

/** The limits with each one that is not named unlimited. */
const unlimited = Object.fromEntries(Object.entries(limits).map(([name, schema]) => [name, schema.default(null).meta(schema.meta() ?? {})])) as {
  [Name in keyof typeof limits]: z.ZodDefault<(typeof limits)[Name]>;
};

/** A whole policy: what is not named has its default. */
export const policy = z
  .strictObject({ ...unlimited, time_zone: timeZone.default("UTC"), offline_leases: offlineLeases.default(false).meta(offlineLeases.meta() ?? {}) })
  .meta({ id: "Policy" });
export type Policy = z.infer<typeof policy>;

/** Changes to a policy: what is not named stays as it is, and `null` removes a limit. No field has a default. */
export const policyUpdate = z
  .strictObject({ ...limits, time_zone: timeZone, offline_leases: offlineLeases })
  .partial()
  .meta({ id: "PolicyUpdate", description: "What is not named stays as it is; null removes a limit." });
export type PolicyUpdate = z.infer<typeof policyUpdate>;

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
      .meta({ description: "Of the user who is named; where none is, what all leases without one share: of a lease, where the limit is set." }),
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
