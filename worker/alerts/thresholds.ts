/**
 * Which alert thresholds the limits of a tenant have reached. Pure.
 *
 * - A limit is used by what is posted and what is held: that is what enforcement reads.
 * - 100 % is reached when nothing is left, and also when the limit refuses a request while at least 80 % is used:
 *   holds seldom fit to the last token, so that a full limit may never be used to its end.
 * - Each threshold is told once in a window, for one limit: a limit that is changed is another one. The window of the
 *   sliding minute and of concurrent leases is the day: they would alert all day long.
 * - A limit of 0 is switched off, not used up: it has no alerts.
 */
import type { AlertedLimit } from "../../schema/contract/webhooks.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import type { ProblemCode } from "../../schema/contract/problems.ts";
import type { AuditFact } from "../ledger/audit-chain.ts";
import type { Books, Window } from "../ledger/decide-hold.ts";

export const THRESHOLDS = [50, 80, 100] as const;
export type Threshold = (typeof THRESHOLDS)[number];

/** One limit as it stands for one window. */
export interface Stand {
  readonly name: AlertedLimit;
  /** The user or the key that the limit is of; null: the tenant. */
  readonly of: string | null;
  /** Name of the window: a day, a month, or `standing` for a limit without one. */
  readonly window: string;
  readonly limit: number;
  readonly held: number;
  readonly posted: number;
  readonly resetsAt: number | null;
}

export interface Alert extends Stand {
  readonly threshold: Threshold;
}

/** What the audit says of an alert, and with it the webhooks. */
export function alertFact({ name, of, window, limit, held, posted, resetsAt, threshold }: Alert): AuditFact {
  const ofUser = name === "per_user_daily_tokens";
  return {
    action: "QUOTA_ALERT",
    actor: "system",
    user: ofUser ? of : null,
    details: {
      limit: name, threshold, value: limit, used: held + posted, held, posted, remaining: Math.max(0, limit - held - posted),
      window, resets_at: resetsAt === null ? null : toTimestamp(resetsAt), ...(of !== null && !ofUser && { key_id: of }),
    },
  };
}

/** The highest threshold that is reached; 0 for none. `refused`: the limit has just refused a request. */
export function reached({ limit, held, posted }: Pick<Stand, "limit" | "held" | "posted">, refused = false): Threshold | 0 {
  // Below half nothing is reached: so it is for most grants, and halving is exact.
  if (limit === 0 || held + posted < limit / 2) return 0;
  // Percentages of safe integers overflow them.
  const used = BigInt(held + posted) * 100n;
  const highest = THRESHOLDS.findLast((threshold) => used >= BigInt(limit) * BigInt(threshold)) ?? 0;
  return refused && highest >= 80 ? 100 : highest;
}

/** The thresholds above `told` up to `highest`: those that are to be told now. */
export const between = (told: number, highest: number): Threshold[] => THRESHOLDS.filter((threshold) => threshold > told && threshold <= highest);

export interface Whose {
  readonly user: string | null;
  readonly key: string | null;
}

/** Every limit of the books that is set and has alerts. `day` is the tenant's. */
export function standsOf(books: Books, day: string, whose: Whose): Stand[] {
  const month = day.slice(0, 7);
  const windows: readonly (readonly [AlertedLimit, Window | null, string, (string | null)?])[] = [
    ["daily_token_limit", books.day, day],
    ["monthly_token_limit", books.month, month],
    ["monthly_spend_limit", books.spendMonth, month],
    ["per_user_daily_tokens", books.userDay, day, whose.user],
    ["key_daily_token_limit", books.keyDay, day, whose.key],
    ["key_monthly_token_limit", books.key?.month ?? null, month, whose.key],
    ["key_tokens_per_minute", books.key?.minuteTokens ?? null, day, whose.key],
    ["key_requests_per_minute", books.key?.minuteRequests ?? null, day, whose.key],
    ["key_concurrent_leases", books.key?.concurrent ?? null, day, whose.key],
    ["tokens_per_minute", books.minuteTokens, day],
    ["requests_per_minute", books.minuteRequests, day],
    ["concurrent_leases", books.concurrent, day],
    ["egress_bytes_daily", books.egressDay, day],
  ];
  return windows.flatMap(([name, window, period, of = null]) => (window ? standOf(name, window, period, of) : []));
}

export function standOf(name: AlertedLimit, window: Pick<Window, "limit" | "held" | "posted"> & { readonly resetsAt: number | null }, period: string, of: string | null = null): Stand[] {
  const { limit, held, posted, resetsAt } = window;
  return limit === null ? [] : [{ name, of, window: period, limit, held, posted, resetsAt }];
}

/** Which limit a refusal is of. */
export const REFUSED_LIMIT: Partial<Record<ProblemCode, AlertedLimit>> = {
  "daily-quota-exceeded": "daily_token_limit",
  "monthly-quota-exceeded": "monthly_token_limit",
  "spend-limit-exceeded": "monthly_spend_limit",
  "user-quota-exceeded": "per_user_daily_tokens",
  "key-quota-exceeded": "key_daily_token_limit",
  "key-monthly-quota-exceeded": "key_monthly_token_limit",
  "key-tokens-per-minute-exceeded": "key_tokens_per_minute",
  "key-requests-per-minute-exceeded": "key_requests_per_minute",
  "key-concurrent-leases-exceeded": "key_concurrent_leases",
  "tokens-per-minute-exceeded": "tokens_per_minute",
  "requests-per-minute-exceeded": "requests_per_minute",
  "concurrent-leases-exceeded": "concurrent_leases",
  "egress-quota-exceeded": "egress_bytes_daily",
  "storage-quota-exceeded": "storage_bytes",
  "model-quota-exceeded": "model_quota",
};
