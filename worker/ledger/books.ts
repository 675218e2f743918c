/**
 * Reads and writes the windows: what each limit has held and posted, at one instant.
 *
 * - A hold is charged to the day of its grant for the tenant, its user and its key; refunds go back to that day.
 * - A month is the sum of its days, so that the two can't drift apart.
 * - What is posted stands in the table (postings.ts); what is held is the mirror of the leases that hold it.
 * - Enforcement and `GET …/quota` read the same books.
 */
import type { Balance, Policy, Quota } from "../../schema/contract/policy.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import type { Change } from "./charges.ts";
import { dayAt, dayEndsAt, monthEndsAt, monthOf } from "./calendar.ts";
import type { ActiveLeases } from "./active.ts";
import { type Books, type KeyBooks, type Window, remainingOf } from "./decide-hold.ts";
import type { StoredKey } from "./key-ring.ts";
import type { ModelShelf } from "./model-shelf.ts";
import type { Held } from "./holds.ts";
import { MinuteWindow } from "./minute.ts";
import type { Mirrors } from "./mirrors.ts";
import { Postings } from "./postings.ts";
import type { Store } from "./store.ts";

interface Sums {
  readonly held: number;
  readonly posted: number;
  readonly heldNanos: number;
  readonly postedNanos: number;
}

/** Bytes of blobs: posted as they are sent, held where a lease may be sent them without asking again. */
const EGRESS_SCOPE = "e";
/** The user of leases that name none: they share one window. No user's id is empty. */
export const ANONYMOUS = "";
export const userScope = (user: string) => `u:${user}`;
export const keyScope = (keyId: string) => `k:${keyId}`;

export class BookKeeper {
  readonly #mirrors: Mirrors;
  readonly postings: Postings;

  constructor(store: Store, mirrors: Mirrors) {
    this.postings = new Postings(store);
    this.#mirrors = mirrors;
  }

  /** Adds `change` to the day of each scope. The caller writes the lease, whose mirror the held part is. */
  post(scopes: readonly string[], day: string, change: Change): void {
    this.#mirrors.holds.change(scopes, day, change.held, change.heldNanos);
    if (change.posted === 0 && change.postedNanos === 0) return;
    for (const scope of scopes) this.postings.add(scope, day, { tokens: change.posted, nanos: change.postedNanos });
  }

  /** Counts `posted` bytes that are about to be sent, and holds `held` more, or gives them back. */
  postEgress(day: string, posted: number, held = 0): void {
    this.post([EGRESS_SCOPE], day, { held, posted, heldNanos: 0, postedNanos: 0 });
  }

  egress(policy: Policy, now: number): Window {
    return windowOf(policy.egress_bytes_daily, this.#day(EGRESS_SCOPE, dayAt(now, policy.time_zone)), dayEndsAt(now, policy.time_zone));
  }

  /** `user` null: of no user; `ANONYMOUS`: of those that name none. */
  read(tenant: string, policy: Policy, now: number, user: string | null, key: StoredKey | null): Books {
    const day = dayAt(now, policy.time_zone);
    const dayEnd = dayEndsAt(now, policy.time_zone);
    const monthEnd = monthEndsAt(now, policy.time_zone);
    const month = this.#month("t", monthOf(day));
    const tokensOfDay = (scope: string, limit: number | null): Window => windowOf(limit, this.#day(scope, day), dayEnd);
    return {
      tenant,
      day: tokensOfDay("t", policy.daily_token_limit),
      month: windowOf(policy.monthly_token_limit, month, monthEnd),
      userDay: user === null ? null : { ...tokensOfDay(userScope(user), policy.per_user_daily_tokens), ...(user === ANONYMOUS && { shared: true as const }) },
      keyDay: key === null ? null : windowOf(key.limits.daily_token_limit, this.#dayOfKeys(key.line, day), dayEnd),
      spendMonth: { limit: policy.monthly_spend_limit, held: month.heldNanos, posted: month.postedNanos, resetsAt: monthEnd },
      ...slidingOf(policy, this.#mirrors.minute, now),
      concurrent: { limit: policy.concurrent_leases, ...concurrentOf([this.#mirrors.active], now) },
      ...(key !== null && isLimited(key) && { key: this.#keyBooks(key, monthOf(day), monthEnd, now) }),
      egressDay: tokensOfDay(EGRESS_SCOPE, policy.egress_bytes_daily),
    };
  }

  /** The live balances, as the API shows them. What those share that name no user is told where it is limited, or `whole`. */
  quota(books: Books, policy: Policy, shelf: Pick<ModelShelf, "models" | "storage">, now: number, whole = false): Quota {
    const standing = (limit: number | null, sums: { held: number; posted: number }): Balance => ({ ...balanceOf({ limit, ...sums, resetsAt: 0 }), reset: null });
    return {
      daily_token_limit: balanceOf(books.day),
      monthly_token_limit: balanceOf(books.month),
      tokens_per_minute: balanceOf(books.minuteTokens),
      requests_per_minute: balanceOf(books.minuteRequests),
      concurrent_leases: balanceOf(books.concurrent),
      ...(books.userDay && (whole || books.userDay.limit !== null || !books.userDay.shared) && { per_user_daily_tokens: { ...balanceOf(books.userDay), ...(books.userDay.shared && { shared: true as const }) } }),
      ...(books.keyDay && books.keyDay.limit !== null && { key_daily_token_limit: balanceOf(books.keyDay) }),
      ...(books.key && keyBalances(books.key)),
      monthly_spend_limit: balanceOf(books.spendMonth),
      model_quota: standing(policy.model_quota, shelf.models()),
      storage_bytes: standing(policy.storage_bytes, shelf.storage(now)),
      egress_bytes_daily: balanceOf(books.egressDay),
    };
  }

  #day(scope: string, day: string): Sums {
    return sumsOf(this.postings.of(scope, day), this.#mirrors.holds.of(scope, day));
  }

  /** A line of rotated keys shares one allowance; each charges its own row. */
  #dayOfKeys(ids: readonly string[], day: string): Sums {
    return totalOf(ids.map((id) => this.#day(keyScope(id), day)));
  }

  /** A line of rotated keys shares these too. */
  #keyBooks({ line, limits }: StoredKey, month: string, monthEnd: number, now: number): KeyBooks {
    const months = line.map((id) => this.#month(keyScope(id), month));
    const mirrors = line.map((id) => this.#mirrors.ofKey(id));
    return {
      month: windowOf(limits.monthly_token_limit, totalOf(months), monthEnd),
      ...slidingOf(limits, MinuteWindow.merged(mirrors.map(({ minute }) => minute)), now),
      concurrent: { limit: limits.concurrent_leases, ...concurrentOf(mirrors.map(({ active }) => active), now) },
    };
  }

  #month(scope: string, month: string): Sums {
    return sumsOf(this.postings.ofMonth(scope, month), this.#mirrors.holds.ofMonth(scope, month));
  }
}

const isLimited = ({ limits }: StoredKey) => [limits.monthly_token_limit, limits.tokens_per_minute, limits.requests_per_minute, limits.concurrent_leases].some((limit) => limit !== null);

function slidingOf(limits: Pick<Policy, "tokens_per_minute" | "requests_per_minute">, window: MinuteWindow, now: number): Pick<Books, "minuteTokens" | "minuteRequests"> {
  const { held, posted, requests } = window.sums(now);
  const sliding = (measure: "tokens" | "requests") => {
    const freesAt = (needed: number) => window.freesAt(now, needed, measure);
    return { resetsAt: freesAt(1), freesAt };
  };
  return {
    minuteTokens: { limit: limits.tokens_per_minute, held, posted, ...sliding("tokens") },
    minuteRequests: { limit: limits.requests_per_minute, held: 0, posted: requests, ...sliding("requests") },
  };
}

function concurrentOf(mirrors: readonly ActiveLeases[], now: number): { held: number; posted: number; resetsAt: number } {
  const all = mirrors.map((active) => active.at(now));
  const soonest = all.flatMap((one) => one.soonest ?? []);
  return { held: all.reduce((sum, { count }) => sum + count, 0), posted: 0, resetsAt: soonest.length === 0 ? now + 1000 : Math.min(...soonest) };
}

function keyBalances({ month, minuteTokens, minuteRequests, concurrent }: KeyBooks): Partial<Quota> {
  const set = (name: keyof Quota, window: Window): Partial<Quota> => (window.limit === null ? {} : { [name]: balanceOf(window) });
  return {
    ...set("key_monthly_token_limit", month),
    ...set("key_tokens_per_minute", minuteTokens),
    ...set("key_requests_per_minute", minuteRequests),
    ...set("key_concurrent_leases", concurrent),
  };
}

function totalOf(all: readonly Sums[]): Sums {
  const sum = (of: (sums: Sums) => number) => all.reduce((total, sums) => total + of(sums), 0);
  return { held: sum((s) => s.held), posted: sum((s) => s.posted), heldNanos: sum((s) => s.heldNanos), postedNanos: sum((s) => s.postedNanos) };
}

const sumsOf = (posted: Held, held: Held): Sums => ({ held: held.tokens, posted: posted.tokens, heldNanos: held.nanos, postedNanos: posted.nanos });

const windowOf = (limit: number | null, sums: Sums, resetsAt: number): Window => ({ limit, held: sums.held, posted: sums.posted, resetsAt });

export const balanceOf = (window: Window): Balance => ({
  limit: window.limit,
  held: window.held,
  posted: window.posted,
  remaining: remainingOf(window),
  reset: toTimestamp(window.resetsAt),
});
