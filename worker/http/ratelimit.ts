/**
 * The `RateLimit` and `RateLimit-Policy` fields of draft-ietf-httpapi-ratelimit-headers-10, from the same balances that
 * enforcement reads. One item for each limit that is set; `w` where the window has a fixed length.
 */
import type { Balance, Quota } from "../../schema/contract/policy.ts";

const LIMITS: readonly { field: keyof Quota; name: string; window?: number }[] = [
  { field: "daily_token_limit", name: "daily-quota", window: 86_400 },
  { field: "monthly_token_limit", name: "monthly-quota" },
  { field: "per_user_daily_tokens", name: "user-quota", window: 86_400 },
  { field: "tokens_per_minute", name: "tokens-per-minute", window: 60 },
  { field: "requests_per_minute", name: "requests-per-minute", window: 60 },
  { field: "concurrent_leases", name: "concurrent-leases" },
];

export function rateLimitHeaders(quota: Quota, now: number): Record<string, string> {
  const set = LIMITS.flatMap(({ field, name, window }) => {
    const balance: Balance | undefined = quota[field];
    if (!balance || balance.limit === null) return [];
    const seconds = balance.reset === null ? null : Math.max(0, Math.ceil((Date.parse(balance.reset) - now) / 1000));
    return [{ policy: `"${name}";q=${balance.limit}${window ? `;w=${window}` : ""}`, now: `"${name}";r=${balance.remaining ?? 0}${seconds === null ? "" : `;t=${seconds}`}` }];
  });
  if (set.length === 0) return {};
  return { "ratelimit-policy": set.map((item) => item.policy).join(", "), ratelimit: set.map((item) => item.now).join(", ") };
}
