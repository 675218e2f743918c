/**
 * What is left to this user, from the quota that came with the last grant. Pure.
 *
 * - The tightest of the token windows counts: the day's, the user's day, the month's.
 * - A window without a limit never counts; with no limit at all, `remaining` is null.
 */
import type { Balance, Quota } from "../../schema/contract/policy.ts";
import type { ErrorCode, LeaseholdError } from "../errors.ts";

const WINDOWS = ["daily_token_limit", "per_user_daily_tokens", "monthly_token_limit"] as const;
export type QuotaWindow = (typeof WINDOWS)[number];

export interface QuotaView {
  /** LLM tokens that may still be held; null where nothing limits them. */
  readonly remaining: number | null;
  readonly limit: number | null;
  readonly resetsAt: string | null;
  readonly window: QuotaWindow | null;
  readonly balances: Quota;
}

export function viewQuota(balances: Quota): QuotaView {
  let tightest: { window: QuotaWindow; balance: Balance } | null = null;
  for (const window of WINDOWS) {
    const balance = balances[window];
    if (balance?.remaining == null) continue;
    if (!tightest || balance.remaining < (tightest.balance.remaining as number)) tightest = { window, balance };
  }
  return {
    remaining: tightest?.balance.remaining ?? null,
    limit: tightest?.balance.limit ?? null,
    resetsAt: tightest?.balance.reset ?? null,
    window: tightest?.window ?? null,
    balances,
  };
}

const REFUSED: Partial<Record<ErrorCode, QuotaWindow>> = {
  "daily-quota-exceeded": "daily_token_limit",
  "user-quota-exceeded": "per_user_daily_tokens",
  "monthly-quota-exceeded": "monthly_token_limit",
};

/** The balances as a refusal tells them; null where it says nothing of a token window. */
export function withRefusal(balances: Quota, { code, limit, remaining, resetsAt }: LeaseholdError): Quota | null {
  const window = REFUSED[code];
  if (window === undefined || limit === undefined || remaining === undefined) return null;
  const before = balances[window];
  return { ...balances, [window]: { limit, remaining, held: 0, posted: limit - remaining, reset: resetsAt ?? before?.reset ?? null } };
}

/** The balances once `tokens` of a hold came back. The control plane knows better; this holds until the next grant. */
export function withReturned(balances: Quota, tokens: number): Quota {
  const back = (balance: Balance): Balance => ({
    ...balance,
    held: Math.max(0, balance.held - tokens),
    remaining: balance.remaining === null ? null : balance.remaining + tokens,
  });
  return {
    ...balances,
    daily_token_limit: back(balances.daily_token_limit),
    monthly_token_limit: back(balances.monthly_token_limit),
    per_user_daily_tokens: balances.per_user_daily_tokens && back(balances.per_user_daily_tokens),
  };
}
