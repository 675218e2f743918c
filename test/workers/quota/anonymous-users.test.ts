/** Leases that name no user: with a limit for each user they share one allowance, so that leaving the name out gains nothing. */
import { expect, test } from "vitest";
import { api } from "../../support/api.ts";
import { ORIGIN, askLease, getLease, leaseState, makeKey, quotaOf, readyTenant, report } from "../../support/tenant.ts";

test("leaving the user out dodges no limit: leases without one share one allowance, whatever key they come with", async () => {
  const tenant = await readyTenant({ per_user_daily_tokens: 100 });
  const other = await makeKey(tenant.id, { type: "publishable", name: "other", origins: [ORIGIN] });
  const first = await getLease(tenant, { tokens: 60 }, { key: tenant.publishable, origin: ORIGIN });
  expect(first.quota.per_user_daily_tokens).toMatchObject({ limit: 100, held: 60, remaining: 40, shared: true });
  const refused = await askLease(tenant, { tokens: 60 }, { key: other.key, origin: ORIGIN });
  expect([refused.status, refused.code, refused.json.limit, refused.json.remaining]).toEqual([429, "user-quota-exceeded", 100, 40]);
  expect(refused.json.detail).toContain("leases without a user share");
  expect(refused.headers.get("ratelimit")).toContain('"user-quota";r=40');
  // What is not used goes back to the window that was charged, and what is used stays in it.
  await report(first, { input_tokens: 10 });
  expect((await getLease(tenant, { tokens: 90 })).quota.per_user_daily_tokens).toMatchObject({ held: 90, posted: 10, remaining: 0 });
  expect((await askLease(tenant, { tokens: 1 })).code).toBe("user-quota-exceeded");
  expect((await leaseState(tenant, first.lease_id)).user).toBeNull();
});

test("users that are named have their own, and nobody named is nobody's name", async () => {
  const tenant = await readyTenant({ per_user_daily_tokens: 100 });
  await getLease(tenant, { tokens: 100 });
  expect((await getLease(tenant, { tokens: 100, user: "anna" })).quota.per_user_daily_tokens).toEqual({ limit: 100, held: 100, posted: 0, remaining: 0, reset: expect.any(String) });
  expect((await askLease(tenant, { tokens: 1, user: "" })).status).toBe(400);
  expect((await quotaOf(tenant, "anna")).per_user_daily_tokens.shared).toBeUndefined();
});

test("a limit that is set later counts what was held and used before it", async () => {
  const tenant = await readyTenant();
  const lease = await getLease(tenant, { tokens: 60 });
  expect(lease.quota.per_user_daily_tokens).toBeUndefined();
  await report(lease, { input_tokens: 60 });
  await api.put(`/v1/tenants/${tenant.id}/policy`, { key: tenant.admin, body: { per_user_daily_tokens: 100 } });
  const next = await askLease(tenant, { tokens: 50 });
  expect([next.code, next.json.remaining]).toEqual(["user-quota-exceeded", 40]);
});

test("without a limit for each user, nobody's share is limited or shown", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1_000 });
  for (let i = 0; i < 3; i++) expect((await getLease(tenant, { tokens: 300 })).quota.per_user_daily_tokens).toBeUndefined();
});

test("the live balances have every limit, also where no user is named and none is set", async () => {
  const tenant = await readyTenant();
  await getLease(tenant, { tokens: 60 });
  expect((await quotaOf(tenant)).per_user_daily_tokens).toEqual({ limit: null, held: 60, posted: 0, remaining: null, reset: expect.any(String), shared: true });
  await api.put(`/v1/tenants/${tenant.id}/policy`, { key: tenant.admin, body: { per_user_daily_tokens: 100 } });
  expect((await quotaOf(tenant)).per_user_daily_tokens).toMatchObject({ limit: 100, held: 60, remaining: 40, shared: true });
});
