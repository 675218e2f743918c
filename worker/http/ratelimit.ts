/**
 * The `RateLimit` and `RateLimit-Policy` fields of draft-ietf-httpapi-ratelimit-headers-10, from the same balances that
 * enforcement reads. One item for each limit that is set. What is refused for its form alone, without asking the tenant
 * object, shows what it said last (known-limits.ts).
 *
 * - `w` stands where the window has a fixed length; a day is said to have 86,400 seconds, and `t` says when it ends.
 * - `qu` is the draft's unit where it has one. It has none for LLM tokens and none for money: `tokens` and `nano-usd`.
 * - Structured fields hold integers of 15 digits at most (RFC 9651): a larger limit is shown as the largest of these.
 */
import type { Context } from "hono";
import type { ProblemCode, ProblemShape } from "../../schema/contract/problems.ts";
import type { Balance, Quota } from "../../schema/contract/policy.ts";

import type { AppEnv } from "./app-env.ts";
import { KnownLimits } from "./known-limits.ts";

interface Shape {
  readonly unit: "tokens" | "requests" | "concurrent-requests" | "content-bytes" | "nano-usd";
  readonly window?: number;
}

const DAY = 86_400;
const SHAPES = {
  "daily-quota": { unit: "tokens", window: DAY },
  "monthly-quota": { unit: "tokens" },
  "spend-limit": { unit: "nano-usd" },
  "user-quota": { unit: "tokens", window: DAY },
  "key-quota": { unit: "tokens", window: DAY },
  "key-monthly-quota": { unit: "tokens" },
  "key-tokens-per-minute": { unit: "tokens", window: 60 },
  "key-requests-per-minute": { unit: "requests", window: 60 },
  "key-concurrent-leases": { unit: "concurrent-requests" },
  "tokens-per-minute": { unit: "tokens", window: 60 },
  "requests-per-minute": { unit: "requests", window: 60 },
  "concurrent-leases": { unit: "concurrent-requests" },
  "egress-quota": { unit: "content-bytes", window: DAY },
} as const satisfies Record<string, Shape>;

type LimitName = keyof typeof SHAPES;

/** In the order of the fields. */
const SHOWN: readonly [keyof Quota, LimitName][] = [
  ["daily_token_limit", "daily-quota"],
  ["monthly_token_limit", "monthly-quota"],
  ["per_user_daily_tokens", "user-quota"],
  ["key_daily_token_limit", "key-quota"],
  ["key_monthly_token_limit", "key-monthly-quota"],
  ["key_tokens_per_minute", "key-tokens-per-minute"],
  ["key_requests_per_minute", "key-requests-per-minute"],
  ["key_concurrent_leases", "key-concurrent-leases"],
  ["tokens_per_minute", "tokens-per-minute"],
  ["requests_per_minute", "requests-per-minute"],
  ["concurrent_leases", "concurrent-leases"],
  ["monthly_spend_limit", "spend-limit"],
  ["egress_bytes_daily", "egress-quota"],
];

const LARGEST = 999_999_999_999_999;
const integer = (value: number) => Math.min(LARGEST, Math.max(0, value));

/** The fields of this answer. */
export function limitsOf(c: Context<AppEnv>, quota: Partial<Quota>): Record<string, string> {
  c.set("quota", quota);
  return rateLimitHeaders(quota, Date.now());
}

const known = new KnownLimits();
/** What is answered without asking the object. */
const OF_FORM: ReadonlySet<number> = new Set([400, 413, 415] satisfies ProblemShape["status"][]);

/** Sees that an answer on the data plane has the fields, as far as this isolate knows the limits. `holder`: names the credential, and the page that brings it. */
export function completeLimits(c: Context<AppEnv>, holder: string): void {
  const [told, now] = [c.get("quota"), Date.now()];
  if (told) return known.hear(holder, told, now);
  if (OF_FORM.has(c.res.status)) for (const [name, value] of Object.entries(rateLimitHeaders(known.of(holder, now), now))) c.res.headers.set(name, value);
}

function rateLimitHeaders(quota: Partial<Quota>, now: number): Record<string, string> {
  const set = SHOWN.flatMap(([field, name]) => {
    const balance: Balance | undefined = quota[field];
    return balance && balance.limit !== null ? [{ name, limit: balance.limit, remaining: balance.remaining ?? 0, seconds: secondsUntil(balance.reset, now) }] : [];
  });
  if (set.length === 0) return {};
  return {
    "ratelimit-policy": set.map(({ name, limit }) => policyItem(name, limit)).join(", "),
    ratelimit: set.map(({ name, remaining, seconds }) => standItem(name, remaining, seconds)).join(", "),
  };
}

/** The fields of a refusal: the one limit that refused. None where the code is not of a limit. */
export function refusedHeaders(code: ProblemCode, limit: number, remaining: number, seconds: number): Record<string, string> {
  const name = code.replace(/-exceeded$/, "");
  if (!isLimit(name)) return {};
  return { "ratelimit-policy": policyItem(name, limit), ratelimit: standItem(name, remaining, seconds) };
}

const isLimit = (name: string): name is LimitName => name in SHAPES;

function policyItem(name: LimitName, limit: number): string {
  const { unit, window }: Shape = SHAPES[name];
  return `"${name}";q=${integer(limit)}${window === undefined ? "" : `;w=${window}`};qu="${unit}"`;
}

const standItem = (name: LimitName, remaining: number, seconds: number | null) => `"${name}";r=${integer(remaining)}${seconds === null ? "" : `;t=${seconds}`}`;

const secondsUntil = (reset: string | null, now: number) => (reset === null ? null : Math.max(0, Math.ceil((Date.parse(reset) - now) / 1000)));
