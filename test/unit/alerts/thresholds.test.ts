import { describe, expect, test } from "vitest";
import { ALERTED_LIMITS } from "../../../schema/contract/webhooks.ts";
import { PROBLEM_CODES } from "../../../schema/contract/problems.ts";
import { REFUSED_LIMIT, alertFact, between, reached, standOf, standsOf } from "../../../worker/alerts/thresholds.ts";
import type { Books, Window } from "../../../worker/ledger/decide-hold.ts";

const RESETS = Date.parse("2026-11-23T00:00:00Z");

describe("the highest threshold that is reached", () => {
  test.each([
    [100, 0, 49, 0], [100, 0, 50, 50], [100, 25, 25, 50], [100, 79, 0, 50], [100, 0, 80, 80], [100, 40, 59, 80], [100, 0, 100, 100], [100, 0, 500, 100],
    [3, 0, 1, 0], [3, 0, 2, 50], [3, 0, 3, 100], [1, 0, 0, 0], [1, 1, 0, 100],
    [Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER - 1, 80], [Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER, 100],
  ])("of %d with %d held and %d posted is %d", (limit, held, posted, wanted) => {
    expect(reached({ limit, held, posted })).toBe(wanted);
  });

  test("a limit of 0 is switched off: it reaches none", () => {
    expect(reached({ limit: 0, held: 0, posted: 0 }, true)).toBe(0);
  });

  test.each([[79, 50], [80, 100], [99, 100], [40, 0]])("at %d of 100, having just refused, it is %d", (posted, wanted) => {
    expect(reached({ limit: 100, held: 0, posted }, true)).toBe(wanted);
  });
});

test.each([[0, 0, []], [0, 50, [50]], [0, 100, [50, 80, 100]], [50, 100, [80, 100]], [80, 80, []], [100, 50, []]])("from %d to %d it tells %j", (told, highest, wanted) => {
  expect(between(told, highest)).toEqual(wanted);
});

const open: Window = { limit: null, held: 0, posted: 0, resetsAt: RESETS };
const set: Window = { limit: 10, held: 1, posted: 2, resetsAt: RESETS };
const books = (more: Partial<Books> = {}): Books => ({ tenant: "acme", month: open, day: open, userDay: null, keyDay: null, spendMonth: open, minuteTokens: open, minuteRequests: open, concurrent: open, egressDay: open, ...more });

test("a limit that is not set has no alerts", () => {
  expect(standsOf(books(), "2026-11-22", { user: "u", key: "k" })).toEqual([]);
  expect(standOf("storage_bytes", { ...open, resetsAt: null }, "standing")).toEqual([]);
});

test("each limit is told of for its window, its user or its key", () => {
  const all = books({ month: set, day: set, userDay: set, keyDay: set, spendMonth: set, minuteTokens: set, minuteRequests: set, concurrent: set, egressDay: set, key: { month: set, minuteTokens: set, minuteRequests: set, concurrent: set } });
  const stands = standsOf(all, "2026-11-22", { user: "u", key: "k" }).map(({ name, window, of }) => [name, window, of]);
  expect(stands).toEqual([
    ["daily_token_limit", "2026-11-22", null],
    ["monthly_token_limit", "2026-11", null],
    ["monthly_spend_limit", "2026-11", null],
    ["per_user_daily_tokens", "2026-11-22", "u"],
    ["key_daily_token_limit", "2026-11-22", "k"],
    ["key_monthly_token_limit", "2026-11", "k"],
    ["key_tokens_per_minute", "2026-11-22", "k"],
    ["key_requests_per_minute", "2026-11-22", "k"],
    ["key_concurrent_leases", "2026-11-22", "k"],
    ["tokens_per_minute", "2026-11-22", null],
    ["requests_per_minute", "2026-11-22", null],
    ["concurrent_leases", "2026-11-22", null],
    ["egress_bytes_daily", "2026-11-22", null],
  ]);
});

test("the alert of a user's limit names the user, that of a key its id", () => {
  const stand = { name: "per_user_daily_tokens", of: "u1", window: "2026-11-22", limit: 10, held: 3, posted: 5, resetsAt: RESETS, threshold: 80 } as const;
  expect(alertFact(stand)).toEqual({
    action: "QUOTA_ALERT", actor: "system", user: "u1",
    details: { limit: "per_user_daily_tokens", threshold: 80, value: 10, used: 8, held: 3, posted: 5, remaining: 2, window: "2026-11-22", resets_at: "2026-11-23T00:00:00Z" },
  });
  expect(alertFact({ ...stand, name: "daily_token_limit", of: null })).toMatchObject({ user: null, details: expect.not.objectContaining({ key_id: null }) as object });
  expect(alertFact({ ...stand, name: "key_daily_token_limit", of: "key_1", resetsAt: null })).toMatchObject({ user: null, details: { key_id: "key_1", resets_at: null } });
});

test("every refusal of a limit is one that alerts know", () => {
  const ofLimits = PROBLEM_CODES.filter((code) => /-(quota|limit|minute|leases)-exceeded$/.test(code));
  expect(ofLimits.map((code) => REFUSED_LIMIT[code]).sort()).toEqual([...ALERTED_LIMITS].sort());
});
