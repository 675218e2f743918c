import { expect, test } from "vitest";
import type { Quota } from "../../../schema/contract/policy.ts";
import { KnownLimits } from "../../../worker/http/known-limits.ts";

const NOW = Date.parse("2026-11-22T10:00:00Z");
const balance = (remaining: number, reset: string | null = "2026-11-23T00:00:00Z") => ({ limit: 100, held: 0, posted: 100 - remaining, remaining, reset });
const whole = (remaining: number): Partial<Quota> => ({ daily_token_limit: balance(remaining), per_user_daily_tokens: balance(1), egress_bytes_daily: balance(50), model_quota: balance(3, null) });

test("what was told is known for a minute, to the credential that it was told to, without its user's", () => {
  const known = new KnownLimits();
  known.hear("key_1", whole(7), NOW);
  expect(known.of("key_1", NOW + 59_999)).toEqual({ daily_token_limit: balance(7), egress_bytes_daily: balance(50), model_quota: balance(3, null) });
  expect([known.of("key_1", NOW + 60_000), known.of("key_2", NOW)]).toEqual([{}, {}]);
});

test("an answer that says one limit leaves the others as they were, and as old", () => {
  const known = new KnownLimits();
  known.hear("key_1", { egress_bytes_daily: balance(9) }, NOW);
  expect(known.of("key_1", NOW)).toEqual({ egress_bytes_daily: balance(9) });
  known.hear("key_1", whole(7), NOW + 10_000);
  known.hear("key_1", { egress_bytes_daily: balance(8) }, NOW + 50_000);
  expect(known.of("key_1", NOW + 69_999)).toMatchObject({ daily_token_limit: balance(7), egress_bytes_daily: balance(8) });
  expect(known.of("key_1", NOW + 70_000)).toEqual({});
});

test("a window that has ended is not shown", () => {
  const known = new KnownLimits();
  known.hear("key_1", { daily_token_limit: balance(7, new Date(NOW + 1_000).toISOString()), model_quota: balance(3, null) }, NOW);
  expect(Object.keys(known.of("key_1", NOW + 999))).toEqual(["daily_token_limit", "model_quota"]);
  expect(Object.keys(known.of("key_1", NOW + 1_000))).toEqual(["model_quota"]);
});

test("of more credentials than are kept, those that were heard of last are", () => {
  const known = new KnownLimits();
  for (let n = 0; n < 1_000; n++) known.hear(`key_${n}`, whole(n), NOW);
  known.hear("key_0", whole(5), NOW);
  known.hear("key_new", whole(6), NOW);
  expect(["key_0", "key_1", "key_2", "key_new"].map((key) => Object.keys(known.of(key, NOW)).length > 0)).toEqual([true, false, true, true]);
});
