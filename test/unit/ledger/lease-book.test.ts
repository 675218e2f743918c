/** One lease's life on a real SQLite (Node's): what it answers, what the audit and the cost record say of it, what the balances show. */
import { beforeEach, describe, expect, test } from "vitest";
import type { TenantId } from "../../../schema/contract/ids.ts";
import type { UsageReport } from "../../../schema/contract/leases.ts";
import { DEFAULT_POLICY, type Policy } from "../../../schema/contract/policy.ts";
import { keyLimits } from "../../../schema/contract/tenants.ts";
import { ANONYMOUS, BookKeeper } from "../../../worker/ledger/books.ts";
import { type CostEntry, Journal, costDigest } from "../../../worker/ledger/journal.ts";
import type { StoredKey } from "../../../worker/ledger/key-ring.ts";
import { LeaseBook, MOST_REPORTS, type NewLease } from "../../../worker/ledger/lease-book.ts";
import { type LeaseRow, toLeaseState } from "../../../worker/ledger/lease-row.ts";
import { Mirrors } from "../../../worker/ledger/mirrors.ts";
import { OutboxRing } from "../../../worker/ledger/outbox-ring.ts";
import type { Store } from "../../../worker/ledger/store.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const ACME = "acme" as TenantId;
const NOW = Date.parse("2026-11-22T10:00:00.500Z");
const DAY = "2026-11-22";
const prices = { input_nanos_per_token: 2, output_nanos_per_token: 3, call_nanos: 7 };
const wanted = (more: Partial<NewLease> = {}): NewLease => ({
  purpose: "inference", keyId: "key_1", user: "u1", model: "ocr", revision: "rev_1", manifestSha256: "ab", prices, requestId: "req_grant", metadata: { tier: "pro" },
  day: DAY, tokens: 100, nanos: 307, calls: 1, ttlSeconds: 60, graceSeconds: 0, ...more,
});
const download = wanted({ purpose: "download", tokens: 0, nanos: 0 });
const usage = (more: Partial<UsageReport> = {}): UsageReport =>
  ({ seq: 1, request_id: "req_use", input_tokens: 10, output_tokens: 20, outcome: "ok", latency_ms: 50, backend: "wasm", cache: "hit", final: true, ...more }) as UsageReport;

let store: Store;
let ring: OutboxRing;
let book: LeaseBook;
let books: BookKeeper;
beforeEach(() => {
  ({ store } = memoryStore());
  const mirrors = new Mirrors();
  ring = new OutboxRing(store);
  books = new BookKeeper(store, mirrors);
  book = new LeaseBook(ACME, store, books, new Journal(ring), mirrors);
});

const open = (more: Partial<NewLease> = {}, now = NOW) => book.open(wanted(more), now);
const find = ({ id }: LeaseRow) => book.find(id) as LeaseRow;
const report = (lease: LeaseRow, more: Partial<UsageReport> = {}, now = NOW + 1_000) => book.report(find(lease), usage(more), lease.id, now);
const codeOf = (result: ReturnType<LeaseBook["report"]>) => (result.ok ? "ok" : result.refusal.code);
const records = () => ring.waiting(100).map(({ record }) => record);

describe("a grant", () => {
  test("ends on a whole second, as the token does; an offline one is reported later", () => {
    const state = toLeaseState(open({ graceSeconds: 3_600 }));
    expect(state).toEqual({
      lease_id: state.lease_id, state: "active", model: "ocr", revision: "rev_1", user: "u1", hold: 100, used: 0, remaining: 100, cost: { currency: "USD", nanos: 0 }, reports: 0, offline: true,
      created_at: "2026-11-22T10:00:00.500Z", expires_at: "2026-11-22T10:01:00Z", reports_until: "2026-11-22T11:01:00Z", resolved_at: null,
    });
    expect(state.lease_id).toMatch(/^ls_acme_[0-9a-z]{24}$/);
    expect(toLeaseState(open())).toMatchObject({ offline: false, expires_at: "2026-11-22T10:01:00Z", reports_until: "2026-11-22T10:01:00Z" });
  });

  test("keeps what the lease was asked for with", () => {
    expect(find(open())).toMatchObject({ purpose: "inference", key_id: "key_1", manifest_sha256: "ab", request_id: "req_grant", day: DAY, hold_nanos: 307, metadata: '{"tier":"pro"}', prices: JSON.stringify(prices) });
  });

  test("falls due at the end of its reports, the soonest first", () => {
    expect(book.nextExpiry()).toBeNull();
    open({ ttlSeconds: 300 });
    open({ graceSeconds: 3_600 });
    expect(book.nextExpiry()).toBe(Date.parse("2026-11-22T10:05:00Z"));
  });
});

describe("a report", () => {
  test("that is the last settles the lease: what it names is charged, the rest given back", () => {
    const lease = open();
    const answer = report(lease);
    expect(answer).toMatchObject({ ok: true, value: { state: "settled", used: 30, remaining: 0, cost: { nanos: 87 }, reports: 1, resolved_at: "2026-11-22T10:00:01.500Z" } });
    expect(answer).toEqual({ ok: true, value: toLeaseState(find(lease)) });
  });

  test("that is not the last leaves the lease active, with what is left of its hold", () => {
    const lease = open();
    expect(report(lease, { final: false })).toMatchObject({ ok: true, value: { state: "active", used: 30, remaining: 70, reports: 1, resolved_at: null } });
    expect(report(lease, { seq: 2, input_tokens: 0, output_tokens: 70 })).toMatchObject({ ok: true, value: { state: "settled", used: 100, reports: 2, cost: { nanos: 87 + 210 } } });
  });

  test("above what is left of the hold is refused and charges nothing; all of it is taken", () => {
    const lease = open();
    report(lease, { final: false });
    expect(report(lease, { seq: 2, input_tokens: 71, output_tokens: 0 })).toMatchObject({ ok: false, refusal: { code: "usage-exceeds-hold", limit: 100, remaining: 70 } });
    expect(report(lease, { seq: 2, input_tokens: 1, output_tokens: 70 })).toMatchObject({ ok: false, refusal: { code: "usage-exceeds-hold" } });
    expect(toLeaseState(find(lease))).toMatchObject({ state: "active", used: 30, reports: 1 });
    expect(codeOf(report(lease, { seq: 2, input_tokens: 70, output_tokens: 0 }))).toBe("ok");
  });

  test("that comes again is answered as before, also after the end; under its number with other words it is a conflict", () => {
    const lease = open();
    const first = report(lease, { final: false });
    report(lease, { seq: 2 });
    expect(report(lease, { final: false })).toEqual(first);
    expect(codeOf(report(lease, { final: false, input_tokens: 11 }))).toBe("conflict");
    expect(toLeaseState(find(lease))).toMatchObject({ used: 60, reports: 2 });
    // Each lease counts its own reports.
    expect(codeOf(report(open()))).toBe("ok");
  });

  test("is one of 10,000 at most, and then the final one: a holder who names no tokens can't write rows and events without end", () => {
    const lease = open();
    store.run("UPDATE leases SET reports = ? WHERE id = ?", MOST_REPORTS - 1, lease.id);
    const nothing = { input_tokens: 0, output_tokens: 0, outcome: "error", final: false } as const;
    expect(codeOf(report(lease, { seq: 1, ...nothing }))).toBe("ok");
    expect(codeOf(report(lease, { seq: 2, ...nothing }))).toBe("conflict");
    expect(codeOf(report(lease, { seq: 1, ...nothing }))).toBe("ok"); // answered as before
    expect(report(lease, { seq: 3 })).toMatchObject({ ok: true, value: { state: "settled", used: 30, reports: MOST_REPORTS + 1 } });
  });

  test.each(["settled", "expired", "revoked"] as const)("on a lease that is %s says so", (end) => {
    const lease = open();
    if (end === "settled") report(lease);
    if (end === "expired") book.sweep(lease.reports_until);
    if (end === "revoked") book.revokeAll(NOW, "operator", "req_off");
    expect(find(lease).state).toBe(end);
    expect(codeOf(report(lease, { seq: 9 }))).toBe(`lease-${end}`);
  });

  test("stands in the audit and in the costs with all that it says", () => {
    const lease = open();
    report(lease, { outcome: "error", error_code: "device-lost", ttft_ms: 9 });
    const [{ event, cost }] = records() as [ReturnType<typeof records>[number]];
    expect(event).toMatchObject({ action: "INFERENCE_EXECUTED", actor: lease.id, user: "u1", model: "ocr", requestId: "req_use", at: NOW + 1_000 });
    expect(event.details).toEqual({
      cost_sha256: costDigest(cost as CostEntry), lease_id: lease.id, revision: "rev_1", seq: 1, input_tokens: 10, output_tokens: 20, cost_nanos: 87, outcome: "error", error_code: "device-lost", latency_ms: 50, ttft_ms: 9,
      backend: "wasm", cache: "hit", final: true, refunded_tokens: 70, metadata: { tier: "pro" },
    });
    expect(cost).toEqual({
      day: DAY, leaseId: lease.id, model: "ocr", revision: "rev_1", inputTokens: 10, outputTokens: 20, unreportedTokens: 0, calls: 1, costNanos: 87,
      outcome: "error", errorCode: "device-lost", latencyMs: 50, ttftMs: 9, backend: "wasm", cache: "hit",
    });
    report(open());
    expect(records()[1]?.cost).toMatchObject({ errorCode: null, ttftMs: null });
  });
});

test.each([["ok", 7], ["error", 0], ["aborted", 0]] as const)("a model that ends %s without a token costs %d: its call, where it ran", (outcome, nanos) => {
  expect(report(open(), { input_tokens: 0, output_tokens: 0, outcome })).toMatchObject({ ok: true, value: { used: 0, cost: { nanos } } });
});

test("the leases of one key end with it, those of another go on", () => {
  const [one, other] = [open({ keyId: "key_1" }), open({ keyId: "key_2" })];
  expect(book.revokeWhere(({ key_id }) => key_id === "key_2", NOW, "operator", "req_off")).toBe(1);
  expect([find(one).state, find(other).state]).toEqual(["active", "revoked"]);
});

describe("an end without a report", () => {
  test("comes when the reports end, and not before: the whole hold is charged", () => {
    const lease = open({ graceSeconds: 10 });
    book.sweep(lease.reports_until - 1);
    expect(find(lease).state).toBe("active");
    // The alarm may be late: the lease ended when it was to end.
    book.sweep(lease.reports_until + 5_000);
    expect(toLeaseState(find(lease))).toMatchObject({ state: "expired", used: 100, remaining: 0, cost: { nanos: 307 }, resolved_at: "2026-11-22T10:01:10Z" });
    const [{ event, cost }] = records() as [ReturnType<typeof records>[number]];
    expect(event).toMatchObject({ action: "LEASE_EXPIRED", actor: "system", user: "u1", model: "ocr", requestId: "req_grant", details: { lease_id: lease.id, revision: "rev_1", unreported_tokens: 100, cost_nanos: 307 } });
    expect(cost).toEqual({
      day: DAY, leaseId: lease.id, model: "ocr", revision: "rev_1", inputTokens: 0, outputTokens: 0, unreportedTokens: 100, calls: 1, costNanos: 307,
      outcome: "expired", errorCode: null, latencyMs: null, ttftMs: null, backend: null, cache: null,
    });
  });

  test("a revocation charges what no report named, at its own instant, under the request that did it", () => {
    const lease = open();
    report(lease, { final: false });
    expect(book.revokeWhere(({ key_id }) => key_id === "key_1", NOW + 2_000, "operator", "req_off")).toBe(1);
    expect(toLeaseState(find(lease))).toMatchObject({ state: "revoked", used: 100, cost: { nanos: 87 + 210 }, resolved_at: "2026-11-22T10:00:02.500Z" });
    expect(records()[1]).toMatchObject({ event: { action: "LEASE_REVOKED", actor: "operator", requestId: "req_off", details: { unreported_tokens: 70 } }, cost: { outcome: "revoked", calls: 0, unreportedTokens: 70 } });
  });

  test("more leases than one look takes are booked all", () => {
    for (let i = 0; i < 1_001; i++) open();
    book.sweep(NOW + 120_000);
    expect(ring.newest.seq).toBe(1_001);
    expect(book.nextExpiry()).toBeNull();
  });
});

test("a download costs nothing, holds nothing, and is no inference in the audit", () => {
  const [settled, expired] = [book.open(download, NOW), book.open(download, NOW)];
  expect(report(settled, { input_tokens: 0, output_tokens: 0 })).toMatchObject({ ok: true, value: { state: "settled", used: 0, cost: { nanos: 0 } } });
  expect(codeOf(report(expired, { input_tokens: 1, output_tokens: 0 }))).toBe("usage-exceeds-hold");
  book.sweep(expired.reports_until);
  expect(toLeaseState(find(expired))).toMatchObject({ state: "expired", used: 0, cost: { nanos: 0 } });
  expect(records()).toEqual([]);
  expect(book.nextExpiry()).toBeNull();
});

describe("the balances", () => {
  const policy: Policy = { ...DEFAULT_POLICY, daily_token_limit: 1_000, per_user_daily_tokens: 200, monthly_spend_limit: 5_000, concurrent_leases: 3, requests_per_minute: 10, model_quota: 4, storage_bytes: 50, egress_bytes_daily: 70 };
  const shelf = { models: () => ({ held: 0, posted: 1 }), storage: () => ({ held: 5, posted: 20 }) };
  const keyOf = (limit: number | null, ...line: string[]) => ({ id: line[0], line, limits: keyLimits.parse({ daily_token_limit: limit }) }) as unknown as StoredKey;
  const quota = (user: string | null, key: StoredKey | null) => books.quota(books.read(ACME, policy, NOW, user, key), policy, shelf, NOW);

  test("say of each limit what is held, what is posted, what is left and when it resets", () => {
    report(open());
    open({ graceSeconds: 60 });
    books.postEgress(DAY, 30);
    expect(quota("u1", keyOf(500, "key_1"))).toEqual({
      daily_token_limit: { limit: 1_000, held: 100, posted: 30, remaining: 870, reset: "2026-11-23T00:00:00Z" },
      monthly_token_limit: { limit: null, held: 100, posted: 30, remaining: null, reset: "2026-12-01T00:00:00Z" },
      tokens_per_minute: { limit: null, held: 100, posted: 30, remaining: null, reset: "2026-11-22T10:01:00Z" },
      requests_per_minute: { limit: 10, held: 0, posted: 2, remaining: 8, reset: "2026-11-22T10:01:00Z" },
      concurrent_leases: { limit: 3, held: 1, posted: 0, remaining: 2, reset: "2026-11-22T10:01:00Z" },
      per_user_daily_tokens: { limit: 200, held: 100, posted: 30, remaining: 70, reset: "2026-11-23T00:00:00Z" },
      key_daily_token_limit: { limit: 500, held: 100, posted: 30, remaining: 370, reset: "2026-11-23T00:00:00Z" },
      monthly_spend_limit: { limit: 5_000, held: 307, posted: 87, remaining: 4_606, reset: "2026-12-01T00:00:00Z" },
      model_quota: { limit: 4, held: 0, posted: 1, remaining: 3, reset: null },
      storage_bytes: { limit: 50, held: 5, posted: 20, remaining: 25, reset: null },
      egress_bytes_daily: { limit: 70, held: 0, posted: 30, remaining: 40, reset: "2026-11-23T00:00:00Z" },
    });
    expect(books.egress(policy, NOW)).toEqual({ limit: 70, held: 0, posted: 30, resetsAt: Date.parse("2026-11-23T00:00:00Z") });
  });

  test("name a user's and a key's where there is one, and a key's only where it has a limit", () => {
    expect(Object.keys(quota(null, null))).toEqual(expect.not.arrayContaining(["per_user_daily_tokens", "key_daily_token_limit"]));
    expect(Object.keys(quota("u1", keyOf(null, "key_1")))).toEqual(expect.not.arrayContaining(["key_daily_token_limit"]));
  });

  test("of leases that name no user are shared by all of them, and by no user", () => {
    open({ user: null });
    open({ user: null });
    expect(quota(ANONYMOUS, null).per_user_daily_tokens).toEqual({ limit: 200, held: 200, posted: 0, remaining: 0, reset: "2026-11-23T00:00:00Z", shared: true });
    expect(quota("u1", null).per_user_daily_tokens).toEqual({ limit: 200, held: 0, posted: 0, remaining: 200, reset: "2026-11-23T00:00:00Z" });
    const unlimited = { ...policy, per_user_daily_tokens: null };
    const shown = (user: string) => books.quota(books.read(ACME, unlimited, NOW, user, null), unlimited, shelf, NOW).per_user_daily_tokens;
    expect([shown(ANONYMOUS), shown("u1")?.limit]).toEqual([undefined, null]);
  });

  test("of a line of rotated keys are one", () => {
    report(open({ keyId: "key_1" }));
    open({ keyId: "key_2" });
    open({ keyId: "key_3" });
    expect(books.read(ACME, policy, NOW, null, keyOf(500, "key_2", "key_1")).keyDay).toMatchObject({ limit: 500, held: 100, posted: 30 });
  });

  test("of a key's own limits are those of its line, shown where they are set", () => {
    const limited = (limits: object) => ({ id: "key_2", line: ["key_2", "key_1"], limits: keyLimits.parse(limits) }) as unknown as StoredKey;
    report(open({ keyId: "key_1" }));
    open({ keyId: "key_2", ttlSeconds: 300 });
    open({ keyId: "key_1" });
    open({ keyId: "key_3", ttlSeconds: 5 });
    expect(quota(null, limited({ monthly_token_limit: 1_000, tokens_per_minute: 400, requests_per_minute: 5, concurrent_leases: 2 }))).toMatchObject({
      key_monthly_token_limit: { limit: 1_000, held: 200, posted: 30, remaining: 770, reset: "2026-12-01T00:00:00Z" },
      key_tokens_per_minute: { limit: 400, held: 200, posted: 30, remaining: 170, reset: "2026-11-22T10:01:00Z" },
      key_requests_per_minute: { limit: 5, held: 0, posted: 3, remaining: 2, reset: "2026-11-22T10:01:00Z" },
      key_concurrent_leases: { limit: 2, held: 2, posted: 0, remaining: 0, reset: "2026-11-22T10:01:00Z" },
    });
    const shown = (limits: object) => Object.keys(quota(null, limited(limits))).filter((name) => name.startsWith("key_"));
    for (const name of ["monthly_token_limit", "tokens_per_minute", "requests_per_minute", "concurrent_leases"]) expect(shown({ [name]: 9 })).toEqual([`key_${name}`]);
    expect([shown({}), "key" in books.read(ACME, policy, NOW, null, limited({}))]).toEqual([[], false]);
  });

  test("of a call that no token came of are its price", () => {
    report(open(), { input_tokens: 0, output_tokens: 0 });
    expect(quota(null, null)).toMatchObject({ daily_token_limit: { posted: 0 }, monthly_spend_limit: { held: 0, posted: 7 } });
  });

  test("of the minute say when enough tokens, or requests, are free again", () => {
    open();
    open({ tokens: 50 }, NOW + 20_000);
    const { minuteTokens, minuteRequests } = books.read(ACME, policy, NOW + 30_000, null, null);
    const freed = (window: typeof minuteTokens, ...needed: number[]) => needed.map((n) => new Date(window.freesAt?.(n) ?? 0).toISOString().slice(11, 19));
    expect(freed(minuteTokens, 100, 101, 151)).toEqual(["10:01:00", "10:01:20", "10:01:30"]);
    expect(freed(minuteRequests, 1, 2, 3)).toEqual(["10:01:00", "10:01:20", "10:01:30"]);
  });

  test("of a month are those of its days, the first and the last too, and of no other month", () => {
    for (const day of ["2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01"]) report(open({ day }));
    expect(books.read(ACME, policy, NOW, null, null)).toMatchObject({ month: { held: 0, posted: 60 }, spendMonth: { held: 0, posted: 174 }, day: { posted: 0 } });
  });

  test("with nothing running, a lease may run at once: the next second is the time to ask again", () => {
    expect(books.read(ACME, policy, NOW, null, null).concurrent).toEqual({ limit: 3, held: 0, posted: 0, resetsAt: NOW + 1_000 });
  });
});
