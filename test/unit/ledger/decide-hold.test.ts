import { describe, expect, test } from "vitest";
import { type Books, type Window, decideEgress, decideHold, remainingOf } from "../../../worker/ledger/decide-hold.ts";

const RESETS = Date.parse("2026-11-23T00:00:00Z");
const open: Window = { limit: null, held: 0, posted: 0, resetsAt: RESETS };
const full: Window = { limit: 10, held: 4, posted: 6, resetsAt: RESETS };

const books = (more: Partial<Books> = {}): Books => ({
  tenant: "acme", month: open, day: open, userDay: null, keyDay: null, spendMonth: open, minuteTokens: open, minuteRequests: open, concurrent: open, egressDay: open, ...more,
});

const CODES = [
  ["spendMonth", "spend-limit-exceeded"],
  ["month", "monthly-quota-exceeded"],
  ["day", "daily-quota-exceeded"],
  ["userDay", "user-quota-exceeded"],
  ["keyDay", "key-quota-exceeded"],
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
    const decision = decideHold(one, books({ [field]: full }));
    expect(decision).toMatchObject({ ok: false, refusal: { code, limit: 10, remaining: 0, resetsAt: RESETS } });
  });

  test("admits exactly what is left", () => {
    const nearly = { ...full, posted: 5 };
    expect(codeOf({ [field]: nearly })).toBe("ok");
    expect(codeOf({ [field]: nearly }, { tokens: 2, nanos: 2, egressBytes: 2 })).toBe(field === "minuteRequests" || field === "concurrent" ? "ok" : code);
  });
});

test("of several refusals the first in order wins, longest window first", () => {
  const all = Object.fromEntries(CODES.map(([field]) => [field, full]));
  const order = CODES.map(([field]) => {
    const code = codeOf(all);
    delete all[field];
    return code;
  });
  expect(order).toEqual(CODES.map(([, code]) => code));
});

test("a download asks for a request, and that a byte may still be sent", () => {
  const all = Object.fromEntries(CODES.map(([field]) => [field, full]));
  const download = { tokens: 0, nanos: 0, egressBytes: 1 };
  expect(codeOf({ ...all, minuteRequests: open, egressDay: open }, download)).toBe("ok");
  expect(codeOf({ minuteRequests: full }, download)).toBe("requests-per-minute-exceeded");
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
    ["minuteTokens", "Tokens per minute exceeded for acme: 10 of 10 tokens used"],
    ["minuteRequests", "Requests per minute exceeded for acme: 10 of 10 requests used"],
    ["concurrent", "Concurrent leases exceeded for acme: 10 of 10 leases used"],
  ])("name the limit of %s and its unit", (field, words) => {
    const decision = decideHold(one, books({ [field]: full }));
    expect(decision.ok ? "" : decision.refusal.detail).toContain(words);
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
