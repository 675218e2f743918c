/**
 * Decides whether a hold may be placed. Pure: no clock, no storage, no randomness.
 *
 * - Amounts are whole LLM tokens and nano-dollars (safe integers ≥ 0); the caller has validated them.
 * - All limits are checked against one snapshot; the first refusal in `CHECKS` order wins, longest window first.
 * - A refusal carries what the caller needs for the 429: the limit, what is left, when it resets.
 */
import type { ProblemCode } from "../../schema/contract/problems.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import { type Refusal, type Result, done, refuse } from "./result.ts";

/** One limit as it stands. `limit` null: no limit. */
export interface Window {
  readonly limit: number | null;
  readonly held: number;
  readonly posted: number;
  /** When the window ends, or the first of a sliding one leaves; milliseconds since the epoch. */
  readonly resetsAt: number;
  /** Sliding windows: when at least `needed` more will be free. */
  readonly freesAt?: (needed: number) => number;
}

/** The windows of a key beside its day. */
export type KeyBooks = Pick<Books, "month" | "minuteTokens" | "minuteRequests" | "concurrent">;

/** Every window that a hold is charged to, read at one instant. */
export interface Books {
  readonly tenant: string;
  readonly month: Window;
  readonly day: Window;
  /** `shared`: of all leases that name no user. */
  readonly userDay: (Window & { readonly shared?: true }) | null;
  readonly keyDay: Window | null;
  /** Where the key has a limit of these kinds. */
  readonly key?: KeyBooks;
  readonly spendMonth: Window;
  readonly minuteTokens: Window;
  readonly minuteRequests: Window;
  readonly concurrent: Window;
  /** Bytes of blobs sent today. */
  readonly egressDay: Window;
}

export interface HoldRequest {
  /** LLM tokens to hold; 0 for a download, which is charged to the request windows alone. */
  readonly tokens: number;
  /** The most that the hold can cost. */
  readonly nanos: number;
  /** Bytes that must be left to send: 1 for a download, which is of no use without any; 0 for an inference. */
  readonly egressBytes: number;
}

/** How a limit is named in a refusal. */
interface Label {
  readonly code: ProblemCode;
  readonly title: string;
  readonly unit: string;
}

interface Check extends Label {
  readonly window: (books: Books) => Window | null;
  readonly ask: (request: HoldRequest) => number;
}

const tokensAsked = (request: HoldRequest) => request.tokens;
const oneAsked = () => 1;
/** A download computes nothing: it is no concurrent lease. */
const oneLease = (request: HoldRequest) => (request.tokens > 0 ? 1 : 0);
const bytesAsked = (request: HoldRequest) => request.egressBytes;

const EGRESS: Label = { code: "egress-quota-exceeded", title: "Daily egress", unit: "bytes" };

const CHECKS: readonly Check[] = [
  { code: "spend-limit-exceeded", title: "Spend limit", unit: "nano-dollars", window: (b) => b.spendMonth, ask: (r) => r.nanos },
  { code: "monthly-quota-exceeded", title: "Monthly quota", unit: "tokens", window: (b) => b.month, ask: tokensAsked },
  { code: "daily-quota-exceeded", title: "Daily quota", unit: "tokens", window: (b) => b.day, ask: tokensAsked },
  { code: "user-quota-exceeded", title: "Daily quota of this user", unit: "tokens", window: (b) => (b.userDay?.shared ? null : b.userDay), ask: tokensAsked },
  { code: "user-quota-exceeded", title: "Daily quota that leases without a user share", unit: "tokens", window: (b) => (b.userDay?.shared ? b.userDay : null), ask: tokensAsked },
  { code: "key-quota-exceeded", title: "Daily quota of this key", unit: "tokens", window: (b) => b.keyDay, ask: tokensAsked },
  { code: "key-monthly-quota-exceeded", title: "Monthly quota of this key", unit: "tokens", window: (b) => b.key?.month ?? null, ask: tokensAsked },
  { code: "key-tokens-per-minute-exceeded", title: "Tokens per minute of this key", unit: "tokens", window: (b) => b.key?.minuteTokens ?? null, ask: tokensAsked },
  { code: "key-requests-per-minute-exceeded", title: "Requests per minute of this key", unit: "requests", window: (b) => b.key?.minuteRequests ?? null, ask: oneAsked },
  { code: "key-concurrent-leases-exceeded", title: "Concurrent leases of this key", unit: "leases", window: (b) => b.key?.concurrent ?? null, ask: oneLease },
  { code: "tokens-per-minute-exceeded", title: "Tokens per minute", unit: "tokens", window: (b) => b.minuteTokens, ask: tokensAsked },
  { code: "requests-per-minute-exceeded", title: "Requests per minute", unit: "requests", window: (b) => b.minuteRequests, ask: oneAsked },
  { code: "concurrent-leases-exceeded", title: "Concurrent leases", unit: "leases", window: (b) => b.concurrent, ask: oneLease },
  { ...EGRESS, window: (b) => b.egressDay, ask: bytesAsked },
];

export function decideHold(request: HoldRequest, books: Books): Result<HoldRequest> {
  for (const check of CHECKS) {
    const window = check.window(books);
    const refusal = window && refusalOf(check, books.tenant, check.ask(request), window);
    if (refusal) return { ok: false, refusal };
  }
  return done(request);
}

/** The books as they stand once the hold is placed: what a new reading would say, without one. `endsAt`: of the lease. */
export function afterHold(books: Books, { tokens, nanos }: HoldRequest, endsAt: number): Books {
  const holding = <W extends Window | null>(window: W, held: number): W => window && { ...window, held: window.held + held };
  const shared = ({ month, minuteTokens, minuteRequests, concurrent }: KeyBooks): KeyBooks => ({
    month: holding(month, tokens),
    minuteTokens: holding(minuteTokens, tokens),
    minuteRequests: { ...minuteRequests, posted: minuteRequests.posted + 1 },
    concurrent: tokens === 0 ? concurrent : { ...concurrent, held: concurrent.held + 1, resetsAt: concurrent.held === 0 ? endsAt : Math.min(concurrent.resetsAt, endsAt) },
  });
  return {
    ...books,
    ...shared(books),
    ...(books.key && { key: shared(books.key) }),
    day: holding(books.day, tokens),
    userDay: holding(books.userDay, tokens),
    keyDay: holding(books.keyDay, tokens),
    spendMonth: holding(books.spendMonth, nanos),
  };
}

/** Whether `bytes` more may be sent today. */
export function decideEgress(tenant: string, bytes: number, egressDay: Window): Result<number> {
  const refusal = refusalOf(EGRESS, tenant, bytes, egressDay);
  return refusal ? { ok: false, refusal } : done(bytes);
}

/** What is left of a window; never below 0 (a limit may have been lowered under what is already charged). */
export function remainingOf(window: Window): number | null {
  return window.limit === null ? null : Math.max(0, window.limit - window.held - window.posted);
}

const count = new Intl.NumberFormat("en-US").format;

function refusalOf(label: Label, tenant: string, ask: number, window: Window): Refusal | null {
  // Without a limit a window still ends where its sums would no longer be exact.
  const limit = window.limit ?? Number.MAX_SAFE_INTEGER;
  const remaining = Math.max(0, limit - window.held - window.posted);
  if (ask <= remaining) return null;
  const resetsAt = window.freesAt?.(ask - remaining) ?? window.resetsAt;
  const used = `${count(window.held + window.posted)} of ${count(limit)} ${label.unit} used`;
  const asked = remaining > 0 ? `, ${count(ask)} asked for and ${count(remaining)} left` : "";
  const advice = ask > limit ? "Ask for less, or raise the limit." : "Wait, or raise the limit.";
  const detail = `${label.title} exceeded for ${tenant}: ${used}${asked}, resets ${toTimestamp(resetsAt)}. ${advice}`;
  return refuse(label.code, detail, { limit, remaining, resetsAt }).refusal;
}
