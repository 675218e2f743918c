import { describe, expect, it } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { viewQuota, withRefusal, withReturned } from "../../../client/sdk/quota.ts";
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

describe("a refusal", () => {
  const refused = (code: "user-quota-exceeded" | "requests-per-minute-exceeded") => new LeaseholdError(code, "", { limit: 10, remaining: 3, resetsAt: "2026-11-24T00:00:00Z" });

  it("tells what is left of the limit that refused", () => {
    const told = withRefusal({ ...base, per_user_daily_tokens: daily(40, 100) }, refused("user-quota-exceeded"));
    expect(told?.per_user_daily_tokens).toEqual({ limit: 10, remaining: 3, held: 0, posted: 7, reset: "2026-11-24T00:00:00Z" });
    expect(told?.daily_token_limit).toEqual(base.daily_token_limit);
  });

  it("of another limit tells nothing of tokens", () => {
    expect(withRefusal(base, refused("requests-per-minute-exceeded"))).toBeNull();
  });
});
