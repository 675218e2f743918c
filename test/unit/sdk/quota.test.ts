import { describe, expect, it } from "vitest";
import { viewQuota, withReturned } from "../../../client/sdk/quota.ts";
import { daily, granted } from "./examples.ts";

const base = granted().quota;

describe("what is left", () => {
  it("is that of the tightest window", () => {
    const quota = { ...base, daily_token_limit: daily(500), per_user_daily_tokens: daily(40, 100), monthly_token_limit: daily(9000, 10_000) };
    expect(viewQuota(quota)).toMatchObject({ remaining: 40, limit: 100, window: "per_user_daily_tokens", resetsAt: "2026-11-23T00:00:00Z" });
  });

  it("is null where nothing limits", () => {
    const unlimited = { ...base, daily_token_limit: base.monthly_token_limit };
    expect(viewQuota(unlimited)).toMatchObject({ remaining: null, limit: null, window: null, resetsAt: null });
  });

  it("counts a limit that is used up", () => {
    expect(viewQuota({ ...base, daily_token_limit: daily(0) })).toMatchObject({ remaining: 0, window: "daily_token_limit" });
  });
});

it("grows by what a hold gives back, in the windows that have a limit", () => {
  const back = withReturned({ ...base, per_user_daily_tokens: daily(0, 200) }, 200);
  expect(back.daily_token_limit).toMatchObject({ remaining: 1000, held: 0 });
  expect(back.per_user_daily_tokens).toMatchObject({ remaining: 200 });
  expect(back.monthly_token_limit.remaining).toBeNull();
});
