/**
 * What the ledger must say, told as simply as possible: a list of leases, and every sum computed from scratch out of it.
 * Shares no code with the ledger but the names of days (tested on their own) and the price of a hold.
 */
import type { KeyLimits } from "../../../schema/contract/tenants.ts";
import type { Policy } from "../../../schema/contract/policy.ts";
import { dayAt } from "../../../worker/ledger/calendar.ts";

export const PRICES = { input_nanos_per_token: 3, output_nanos_per_token: 7, call_nanos: 11 };
/** So low that what is held costs about as much as it counts: both come near 2^53. */
export const LOW_PRICES = { input_nanos_per_token: 1, output_nanos_per_token: 1, call_nanos: 1 };
export type ReferencePrices = typeof PRICES;

export interface Ask {
  readonly tokens: number;
  /** Held, with tokens. */
  readonly calls: number;
  readonly user: string | null;
  readonly key: string;
  readonly keyLimit: number | null;
  readonly ttlSeconds: number;
  readonly graceSeconds: number;
}

export interface Report {
  readonly input: number;
  readonly output: number;
  /** As the report says; null where it doesn't. */
  readonly calls: number | null;
  readonly ran: boolean;
  readonly final: boolean;
}

/** A key that has a limit has one of each kind, made of it. */
export const limitsOfKey = (daily: number | null): KeyLimits => ({
  daily_token_limit: daily,
  monthly_token_limit: daily && Math.min(Number.MAX_SAFE_INTEGER, daily * 2),
  tokens_per_minute: daily && Math.ceil(daily / 2),
  requests_per_minute: daily === null ? null : 7,
  concurrent_leases: daily === null ? null : 4,
});

interface Lease extends Ask {
  readonly at: number;
  readonly day: string;
  readonly expiresAt: number;
  readonly reportsUntil: number;
  readonly reports: Report[];
  end: "settled" | "expired" | "revoked" | null;
}

export interface Sums {
  readonly held: number;
  readonly posted: number;
}

const add = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0);
const named = (lease: Lease) => add(lease.reports.map((report) => report.input + report.output));
const ran = (report: Report) => (report.ran && report.calls !== 0) || report.input + report.output > 0;
/** Calls that reports have paid for. A download makes none; of a lease on which something ran, the first run is one whatever it said. */
function called(lease: Lease): number {
  if (lease.tokens === 0) return 0;
  let sum = 0;
  for (const report of lease.reports) sum = sum === 0 && ran(report) ? Math.max(1, report.calls ?? 0) : sum + (report.calls ?? 0);
  return sum;
}

function tokensOf(lease: Lease): Sums {
  if (lease.end === null) return { held: lease.tokens - named(lease), posted: named(lease) };
  return { held: 0, posted: lease.end === "settled" ? named(lease) : lease.tokens };
}


export class Reference {
  readonly leases: Lease[] = [];
  readonly #prices: ReferencePrices;

  constructor(prices: ReferencePrices) {
    this.#prices = prices;
  }

  #spent(lease: Lease): number {
    const { input_nanos_per_token: input, output_nanos_per_token: output, call_nanos: call } = this.#prices;
    return add(lease.reports.map((report) => report.input * input + report.output * output)) + called(lease) * call;
  }

  #ceiling({ tokens, calls }: Ask): number {
    return tokens === 0 ? 0 : tokens * this.#prices.output_nanos_per_token + calls * this.#prices.call_nanos;
  }

  #nanosOf(lease: Lease): Sums {
    const spent = this.#spent(lease);
    if (lease.end === null) return { held: this.#ceiling(lease) - spent, posted: spent };
    if (lease.end === "settled" || lease.tokens === 0) return { held: 0, posted: spent };
    // All that no report named, at the dearer price; and the calls that no report has paid for.
    return { held: 0, posted: spent + (lease.tokens - named(lease)) * this.#prices.output_nanos_per_token + (lease.calls - called(lease)) * this.#prices.call_nanos };
  }

  /** The code of the refusal, or the number of the lease. */
  grant(ask: Ask, policy: Policy, now: number): string | number {
    const sums = this.sums(ask, policy, now);
    // No sum goes above what a number holds exactly, limit or not.
    const fits = (limit: number | null, { held, posted }: Sums, more: number) => more === 0 || BigInt(held) + BigInt(posted) + BigInt(more) <= BigInt(limit ?? Number.MAX_SAFE_INTEGER);
    if (this.#ceiling(ask) > Number.MAX_SAFE_INTEGER) return "invalid-request";
    if (!fits(policy.monthly_spend_limit, sums.spend, this.#ceiling(ask))) return "spend-limit-exceeded";
    if (!fits(policy.monthly_token_limit, sums.month, ask.tokens)) return "monthly-quota-exceeded";
    if (!fits(policy.daily_token_limit, sums.day, ask.tokens)) return "daily-quota-exceeded";
    if (!fits(policy.per_user_daily_tokens, sums.user, ask.tokens)) return "user-quota-exceeded";
    if (!fits(ask.keyLimit, sums.key, ask.tokens)) return "key-quota-exceeded";
    const ofKey = limitsOfKey(ask.keyLimit);
    if (!fits(ofKey.monthly_token_limit, sums.keyMonth, ask.tokens)) return "key-monthly-quota-exceeded";
    if (!fits(ofKey.tokens_per_minute, sums.keyMinute, ask.tokens)) return "key-tokens-per-minute-exceeded";
    if (!fits(ofKey.requests_per_minute, { held: 0, posted: sums.keyRequests }, 1)) return "key-requests-per-minute-exceeded";
    if (ask.tokens > 0 && !fits(ofKey.concurrent_leases, { held: sums.keyConcurrent, posted: 0 }, 1)) return "key-concurrent-leases-exceeded";
    if (!fits(policy.tokens_per_minute, sums.minute, ask.tokens)) return "tokens-per-minute-exceeded";
    if (!fits(policy.requests_per_minute, { held: 0, posted: sums.requests }, 1)) return "requests-per-minute-exceeded";
    if (ask.tokens > 0 && !fits(policy.concurrent_leases, { held: sums.concurrent, posted: 0 }, 1)) return "concurrent-leases-exceeded";
    const expiresAt = (Math.floor(now / 1000) + ask.ttlSeconds) * 1000;
    return this.leases.push({ ...ask, at: now, day: dayAt(now, policy.time_zone), expiresAt, reportsUntil: expiresAt + ask.graceSeconds * 1000, reports: [], end: null }) - 1;
  }

  report(number: number, report: Report): string {
    const lease = this.leases[number] as Lease;
    if (lease.end !== null) return `lease-${lease.end}`;
    if (report.input + report.output > lease.tokens - named(lease)) return "usage-exceeds-hold";
    if ((report.calls ?? 0) > (lease.tokens === 0 ? 0 : lease.calls) - called(lease)) return "usage-exceeds-hold";
    lease.reports.push(report);
    if (report.final) lease.end = "settled";
    return "ok";
  }

  expire(now: number): void {
    for (const lease of this.leases) if (lease.end === null && lease.reportsUntil <= now) lease.end = "expired";
  }

  revokeAll(): void {
    for (const lease of this.leases) if (lease.end === null) lease.end = "revoked";
  }

  /** What a lease was charged or still holds. */
  tokens(lease: Lease): number {
    const { held, posted } = tokensOf(lease);
    return held + posted;
  }

  sums(who: { user: string | null; key: string }, policy: Policy, now: number) {
    const day = dayAt(now, policy.time_zone);
    const total = (leases: Lease[], of: (lease: Lease) => Sums): Sums => ({ held: add(leases.map((l) => of(l).held)), posted: add(leases.map((l) => of(l).posted)) });
    const today = this.leases.filter((lease) => lease.day === day);
    const month = this.leases.filter((lease) => lease.day.slice(0, 7) === day.slice(0, 7));
    const recent = this.leases.filter((lease) => Math.floor(lease.at / 1000) > Math.floor(now / 1000) - 60);
    const isKeys = (lease: Lease) => lease.key === who.key;
    const running = this.leases.filter((lease) => lease.end === null && lease.tokens > 0 && lease.expiresAt > now);
    return {
      keyMonth: total(month.filter(isKeys), tokensOf),
      keyMinute: total(recent.filter(isKeys), tokensOf),
      keyRequests: recent.filter(isKeys).length,
      keyConcurrent: running.filter(isKeys).length,
      day: total(today, tokensOf),
      month: total(month, tokensOf),
      user: total(today.filter((lease) => lease.user === who.user), tokensOf),
      key: total(today.filter((lease) => lease.key === who.key), tokensOf),
      spend: total(month, (lease) => this.#nanosOf(lease)),
      minute: total(recent, tokensOf),
      requests: recent.length,
      concurrent: running.length,
    };
  }
}
