/**
 * What the ledger must say, told as simply as possible: a list of leases, and every sum computed from scratch out of it.
 * Shares no code with the ledger but the names of days (tested on their own) and the price of a hold.
 */
import type { Policy } from "../../../schema/contract/policy.ts";
import { dayAt } from "../../../worker/ledger/calendar.ts";

export const PRICES = { input_nanos_per_token: 3, output_nanos_per_token: 7, call_nanos: 11 };

export interface Ask {
  readonly tokens: number;
  readonly user: string | null;
  readonly key: string;
  readonly keyLimit: number | null;
  readonly ttlSeconds: number;
  readonly graceSeconds: number;
}

export interface Report {
  readonly input: number;
  readonly output: number;
  readonly ran: boolean;
  readonly final: boolean;
}

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
/** Whether a report has paid for the call. A download makes none. */
const called = (lease: Lease) => lease.tokens > 0 && lease.reports.some((report) => report.ran || report.input + report.output > 0);
const spent = (lease: Lease) => add(lease.reports.map((report) => report.input * 3 + report.output * 7)) + (called(lease) ? 11 : 0);
const ceiling = (tokens: number) => (tokens === 0 ? 0 : tokens * 7 + 11);

function tokensOf(lease: Lease): Sums {
  if (lease.end === null) return { held: lease.tokens - named(lease), posted: named(lease) };
  return { held: 0, posted: lease.end === "settled" ? named(lease) : lease.tokens };
}

function nanosOf(lease: Lease): Sums {
  if (lease.end === null) return { held: ceiling(lease.tokens) - spent(lease), posted: spent(lease) };
  if (lease.end === "settled" || lease.tokens === 0) return { held: 0, posted: spent(lease) };
  // All that no report named, at the dearer price; the call, unless a report has paid for it.
  return { held: 0, posted: spent(lease) + (lease.tokens - named(lease)) * 7 + (called(lease) ? 0 : 11) };
}

export class Reference {
  readonly leases: Lease[] = [];

  /** The code of the refusal, or the number of the lease. */
  grant(ask: Ask, policy: Policy, now: number): string | number {
    const sums = this.sums(ask, policy, now);
    const fits = (limit: number | null, { held, posted }: Sums, more: number) => limit === null || more === 0 || held + posted + more <= limit;
    if (!fits(policy.monthly_spend_limit, sums.spend, ceiling(ask.tokens))) return "spend-limit-exceeded";
    if (!fits(policy.monthly_token_limit, sums.month, ask.tokens)) return "monthly-quota-exceeded";
    if (!fits(policy.daily_token_limit, sums.day, ask.tokens)) return "daily-quota-exceeded";
    if (!fits(policy.per_user_daily_tokens, sums.user, ask.tokens)) return "user-quota-exceeded";
    if (!fits(ask.keyLimit, sums.key, ask.tokens)) return "key-quota-exceeded";
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

  sums(who: { user: string | null; key: string }, policy: Policy, now: number) {
    const day = dayAt(now, policy.time_zone);
    const total = (leases: Lease[], of: (lease: Lease) => Sums): Sums => ({ held: add(leases.map((l) => of(l).held)), posted: add(leases.map((l) => of(l).posted)) });
    const today = this.leases.filter((lease) => lease.day === day);
    const month = this.leases.filter((lease) => lease.day.slice(0, 7) === day.slice(0, 7));
    const recent = this.leases.filter((lease) => Math.floor(lease.at / 1000) > Math.floor(now / 1000) - 60);
    return {
      day: total(today, tokensOf),
      month: total(month, tokensOf),
      user: total(today.filter((lease) => lease.user === who.user), tokensOf),
      key: total(today.filter((lease) => lease.key === who.key), tokensOf),
      spend: total(month, nanosOf),
      minute: total(recent, tokensOf),
      requests: recent.length,
      concurrent: this.leases.filter((lease) => lease.end === null && lease.tokens > 0 && lease.expiresAt > now).length,
    };
  }
}
