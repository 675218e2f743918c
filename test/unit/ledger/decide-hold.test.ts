import { describe, expect, test } from "vitest";
import { type Books, type KeyBooks, type Window, afterHold, decideEgress, decideHold, remainingOf } from "../../../worker/ledger/decide-hold.ts";

const RESETS = Date.parse("2026-11-23T00:00:00Z");
const open: Window = { limit: null, held: 0, posted: 0, resetsAt: RESETS };
const full: Window = { limit: 10, held: 4, posted: 6, resetsAt: RESETS };

const books = (more: Partial<Books> = {}): Books => ({
  tenant: "acme", month: open, day: open, userDay: null, keyDay: null, spendMonth: open, minuteTokens: open, minuteRequests: open, concurrent: open, egressDay: open, ...more,
});

const openKey: KeyBooks = { month: open, minuteTokens: open, minuteRequests: open, concurrent: open };
/** The books with one window as given; of a key's own windows the name begins with `key.`. */
const having = (all: Books, field: string, window: Window): Books =>
  field.startsWith("key.") ? { ...all, key: { ...(all.key ?? openKey), [field.slice("key.".length)]: window } } : { ...all, [field]: window };

const CODES = [
  ["spendMonth", "spend-limit-exceeded"],
  ["month", "monthly-quota-exceeded"],
  ["day", "daily-quota-exceeded"],
  ["userDay", "user-quota-exceeded"],
  ["keyDay", "key-quota-exceeded"],
  ["key.month", "key-monthly-quota-exceeded"],
  ["key.minuteTokens", "key-tokens-per-minute-exceeded"],
  ["key.minuteRequests", "key-requests-per-minute-exceeded"],
  ["key.concurrent", "key-concurrent-leases-exceeded"],
  ["minuteTokens", "tokens-per-minute-exceeded"],
  ["minuteRequests", "requests-per-minute-exceeded"],
  ["concurrent", "concurrent-leases-exceeded"],
  ["egressDay", "egress-quota-exceeded"],
] as const;

const one = { tokens: 1, nanos: 1, egressBytes: 1 };
const codeOf = (more: Partial<Books>, ask = one) => {
  const decision = decideHold(ask, books(more));
  return decision.ok ? "ok" : decision.refusal.code;
};

test("without limits everything is granted", () => {
  expect(codeOf({}, { tokens: Number.MAX_SAFE_INTEGER, nanos: Number.MAX_SAFE_INTEGER, egressBytes: 1 })).toBe("ok");
});

test("without limits a window still ends where its sums would no longer be exact", () => {
  const nearly: Window = { ...open, posted: Number.MAX_SAFE_INTEGER - 5 };
  expect(codeOf({ month: nearly }, { tokens: 5, nanos: 0, egressBytes: 0 })).toBe("ok");
  expect(codeOf({ month: nearly }, { tokens: 6, nanos: 0, egressBytes: 0 })).toBe("monthly-quota-exceeded");
  expect(codeOf({ spendMonth: nearly }, { tokens: 1, nanos: 6, egressBytes: 0 })).toBe("spend-limit-exceeded");
});

describe.each(CODES)("%s", (field, code) => {
  test("refuses when it is full, with its limit, what is left and when it resets", () => {
    const decision = decideHold(one, having(books(), field, full));
    expect(decision).toMatchObject({ ok: false, refusal: { code, limit: 10, remaining: 0, resetsAt: RESETS } });
  });

  test("admits exactly what is left", () => {
    const nearly = having(books(), field, { ...full, posted: 5 });
    expect(codeOf(nearly)).toBe("ok");
    expect(codeOf(nearly, { tokens: 2, nanos: 2, egressBytes: 2 })).toBe(/minuteRequests|concurrent/.test(field) ? "ok" : code);
  });
});

test("of several refusals the first in order wins, longest window first", () => {
  const order = CODES.map((_, passed) => codeOf(CODES.slice(passed).reduce((all, [field]) => having(all, field, full), books())));
  expect(order).toEqual(CODES.map(([, code]) => code));
});

test("a download asks for a request, and that a byte may still be sent", () => {
  const all = CODES.reduce((sum, [field]) => having(sum, field, full), books());
  const download = { tokens: 0, nanos: 0, egressBytes: 1 };
  expect(codeOf({ ...all, key: { ...(all.key as KeyBooks), minuteRequests: open }, minuteRequests: open, egressDay: open }, download)).toBe("ok");
  expect(codeOf({ minuteRequests: full }, download)).toBe("requests-per-minute-exceeded");
  expect(codeOf({ key: { ...openKey, minuteRequests: full } }, download)).toBe("key-requests-per-minute-exceeded");
  expect(codeOf({ egressDay: full }, download)).toBe("egress-quota-exceeded");
});

test("an inference needs no byte to be left: its model may be cached", () => {
  expect(codeOf({ egressDay: full }, { tokens: 1, nanos: 1, egressBytes: 0 })).toBe("ok");
});

test.each([
  [0, "ok"],
  [4, "ok"],
  [5, "egress-quota-exceeded"],
])("%d bytes of 4 that are left: %s", (bytes, wanted) => {
  const decision = decideEgress("acme", bytes, { limit: 10, held: 0, posted: 6, resetsAt: RESETS });
  expect(decision.ok ? "ok" : decision.refusal.code).toBe(wanted);
});

test("a sliding window says when enough will be free, for what is missing", () => {
  const asked: number[] = [];
  const sliding: Window = { limit: 10, held: 8, posted: 0, resetsAt: RESETS, freesAt: (needed) => (asked.push(needed), RESETS + needed) };
  const decision = decideHold({ tokens: 5, nanos: 0, egressBytes: 0 }, books({ minuteTokens: sliding }));
  expect(decision).toMatchObject({ ok: false, refusal: { resetsAt: RESETS + 3 } });
  expect(asked).toEqual([3]);
});

describe("the words of a refusal", () => {
  const detail = (window: Window, tokens: number) => {
    const decision = decideHold({ tokens, nanos: 0, egressBytes: 0 }, books({ day: window }));
    return decision.ok ? "" : decision.refusal.detail;
  };

  test("say what is used, when it resets and what to do", () => {
    expect(detail({ limit: 1_000_000, held: 0, posted: 1_000_000, resetsAt: RESETS }, 5)).toBe(
      "Daily quota exceeded for acme: 1,000,000 of 1,000,000 tokens used, resets 2026-11-23T00:00:00Z. Wait, or raise the limit.",
    );
  });

  test.each([
    ["spendMonth", "Spend limit exceeded for acme: 10 of 10 nano-dollars used"],
    ["month", "Monthly quota exceeded for acme: 10 of 10 tokens used"],
    ["userDay", "Daily quota of this user exceeded for acme: 10 of 10 tokens used"],
    ["keyDay", "Daily quota of this key exceeded for acme: 10 of 10 tokens used"],
    ["key.month", "Monthly quota of this key exceeded for acme: 10 of 10 tokens used"],
    ["key.minuteTokens", "Tokens per minute of this key exceeded for acme: 10 of 10 tokens used"],
    ["key.minuteRequests", "Requests per minute of this key exceeded for acme: 10 of 10 requests used"],
    ["key.concurrent", "Concurrent leases of this key exceeded for acme: 10 of 10 leases used"],
    ["egressDay", "Daily egress exceeded for acme: 10 of 10 bytes used"],
    ["minuteTokens", "Tokens per minute exceeded for acme: 10 of 10 tokens used"],
    ["minuteRequests", "Requests per minute exceeded for acme: 10 of 10 requests used"],
    ["concurrent", "Concurrent leases exceeded for acme: 10 of 10 leases used"],
  ])("name the limit of %s and its unit", (field, words) => {
    const decision = decideHold(one, having(books(), field, full));
    expect(decision.ok ? "" : decision.refusal.detail).toContain(words);
  });

  test("tell a user's own limit from the one that leases without a user share", () => {
    const decision = decideHold(one, books({ userDay: { ...full, shared: true } }));
    expect(decision).toMatchObject({ refusal: { code: "user-quota-exceeded", detail: expect.stringContaining("Daily quota that leases without a user share exceeded for acme: 10 of 10 tokens used") as string } });
  });

  test("advise to wait for what fits exactly", () => {
    expect(detail({ limit: 100, held: 0, posted: 1, resetsAt: RESETS }, 100)).toContain("Wait, or raise the limit.");
  });

  test("name what was asked for where something is left", () => {
    expect(detail({ limit: 100, held: 10, posted: 50, resetsAt: RESETS }, 41)).toContain("60 of 100 tokens used, 41 asked for and 40 left");
  });

  test("do not advise to wait for what never fits", () => {
    expect(detail({ limit: 100, held: 0, posted: 0, resetsAt: RESETS }, 101)).toContain("Ask for less, or raise the limit.");
  });
});

test.each([
  [null, 5, 5, null],
  [10, 3, 4, 3],
  [10, 5, 5, 0],
  [10, 50, 5, 0],
])("limit %s with %d held and %d posted leaves %s", (limit, held, posted, left) => {
  expect(remainingOf({ limit, held, posted, resetsAt: 0 })).toBe(left);
});

describe("the books after a hold", () => {
  const END = RESETS + 5_000;
  const used = (held: number): Window => ({ limit: 100, held, posted: 3, resetsAt: RESETS });
  const key: KeyBooks = { month: used(1), minuteTokens: used(2), minuteRequests: used(0), concurrent: used(4) };
  const before = books({ month: used(5), day: used(6), userDay: { ...used(7), shared: true }, keyDay: used(8), spendMonth: used(9), minuteTokens: used(10), minuteRequests: used(0), concurrent: used(12), key });

  test("hold its tokens, its money, its request and its lease, for the tenant and for the key", () => {
    expect(afterHold(before, { tokens: 20, nanos: 30, egressBytes: 0 }, END)).toEqual({
      ...before,
      month: used(25), day: used(26), userDay: { ...used(27), shared: true }, keyDay: used(28), spendMonth: used(39),
      minuteTokens: used(30), minuteRequests: { ...used(0), posted: 4 }, concurrent: used(13),
      key: { month: used(21), minuteTokens: used(22), minuteRequests: { ...used(0), posted: 4 }, concurrent: used(5) },
    });
  });

  test("of a download count its request alone", () => {
    const after = afterHold(before, { tokens: 0, nanos: 0, egressBytes: 1 }, END);
    expect(after).toEqual({ ...before, minuteRequests: { ...used(0), posted: 4 }, key: { ...key, minuteRequests: { ...used(0), posted: 4 } } });
  });

  test("have no windows that they had not before", () => {
    const after = afterHold(books(), one, END);
    expect(after).toMatchObject({ userDay: null, keyDay: null });
    expect("key" in after).toBe(false);
  });

  test.each([
    ["the first to run", 0, END, END],
    ["one that ends before the others", 1, RESETS - 1, RESETS - 1],
    ["one that ends after another", 1, END, RESETS],
  ])("free a lease again when the soonest ends: %s", (_name, held, endsAt, wanted) => {
    expect(afterHold(books({ concurrent: used(held) }), one, endsAt).concurrent).toEqual({ ...used(held + 1), resetsAt: wanted });
  });
});
