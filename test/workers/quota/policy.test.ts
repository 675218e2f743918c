/** Limits are set within limits: what a tenant's admin may change, and what only the operator may. */
import { describe, expect, test } from "vitest";
import { OPERATOR_KEY, api } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type TestTenant, askLease, makeKey, provisionTenant, quotaOf, readyTenant } from "../../support/tenant.ts";

const time = clock();
const put = (tenant: TestTenant, key: string, body: object) => api.put(`/v1/tenants/${tenant.id}/policy`, { key, body });
const LIMITS = ["daily_token_limit", "monthly_token_limit", "tokens_per_minute", "requests_per_minute", "concurrent_leases", "per_user_daily_tokens", "monthly_spend_limit", "model_quota", "storage_bytes", "egress_bytes_daily"] as const;

describe.each(LIMITS)("%s", (field) => {
  test("an admin may lower it and raise it again, up to the operator's", async () => {
    const tenant = await provisionTenant({ policy: { [field]: 100 } });
    expect((await put(tenant, tenant.admin, { [field]: 40 })).json).toMatchObject({ [field]: 40 });
    expect((await put(tenant, tenant.admin, { [field]: 100 })).json).toMatchObject({ [field]: 100 });
    for (const above of [101, null]) {
      const refused = await put(tenant, tenant.admin, { [field]: above });
      expect([refused.status, refused.code]).toEqual([403, "forbidden"]);
    }
    // Left out, it would be no limit.
    expect((await put(tenant, tenant.admin, {})).code).toBe("forbidden");
    expect((await put(tenant, OPERATOR_KEY, { [field]: 200 })).status).toBe(200);
    expect((await put(tenant, tenant.admin, { [field]: 200 })).status).toBe(200);
  });

  test.each([-1, 0.5, "7", 2 ** 53, true])("%j is no limit", async (value) => {
    const tenant = await provisionTenant();
    expect((await put(tenant, OPERATOR_KEY, { [field]: value })).status).toBe(400);
  });
});

test.each(["Mars/Olympus", "", "+01:00", "GMT+25", 5])("%j is no time zone", async (time_zone) => {
  const tenant = await provisionTenant();
  expect((await put(tenant, OPERATOR_KEY, { time_zone })).status).toBe(400);
});

test("PATCH changes the limits that it names and leaves the others, PUT replaces them all", async () => {
  const tenant = await provisionTenant({ policy: { daily_token_limit: 1000, monthly_spend_limit: 7, time_zone: "Europe/Berlin" } });
  const at = `/v1/tenants/${tenant.id}`;
  const patch = (policy: object) => api.patch(at, { key: OPERATOR_KEY, body: { policy } });
  expect((await patch({ daily_token_limit: 2000 })).json.policy).toMatchObject({ daily_token_limit: 2000, monthly_spend_limit: 7, time_zone: "Europe/Berlin" });
  expect((await put(tenant, tenant.admin, { monthly_spend_limit: 8, time_zone: "Europe/Berlin", daily_token_limit: 5 })).code).toBe("forbidden");
  expect((await patch({ monthly_spend_limit: null })).json.policy).toMatchObject({ daily_token_limit: 2000, monthly_spend_limit: null });
  expect((await put(tenant, OPERATOR_KEY, { daily_token_limit: 1 })).json).toMatchObject({ daily_token_limit: 1, time_zone: "UTC" });
});

test("a misspelt limit is refused, not ignored", async () => {
  const tenant = await provisionTenant();
  expect((await put(tenant, OPERATOR_KEY, { dayly_token_limit: 5 })).status).toBe(400);
});

test("an admin can't get a second day's allowance by moving to another time zone", async () => {
  time.set("2026-11-20T12:00:00Z");
  const tenant = await readyTenant({ daily_token_limit: 100 });
  expect((await askLease(tenant, { tokens: 100 })).status).toBe(201);
  const refused = await put(tenant, tenant.admin, { daily_token_limit: 100, time_zone: "Pacific/Kiritimati" });
  expect([refused.status, refused.code]).toEqual([403, "forbidden"]);
  expect((await askLease(tenant, { tokens: 1 })).code).toBe("daily-quota-exceeded");
  expect((await put(tenant, OPERATOR_KEY, { daily_token_limit: 100, time_zone: "Pacific/Kiritimati" })).status).toBe(200);
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 0, reset: "2026-11-21T10:00:00Z" });
});

test("the limit of a key is shown where the key is named, and to who uses it", async () => {
  const tenant = await readyTenant();
  const { id, key } = await makeKey(tenant.id, { type: "secret", name: "small", scopes: ["leases"], limits: { daily_token_limit: 200 } });
  const granted = await askLease(tenant, { tokens: 50 }, { key });
  expect(granted.json.quota.key_daily_token_limit).toMatchObject({ limit: 200, held: 50, remaining: 150 });
  expect(granted.headers.get("ratelimit")).toContain('"key-quota";r=150;t=');
  const shown = await api.get(`/v1/tenants/${tenant.id}/quota?key=${id}`, { key: tenant.reader });
  expect(shown.json.key_daily_token_limit).toEqual(granted.json.quota.key_daily_token_limit);
  expect(await quotaOf(tenant)).not.toHaveProperty("key_daily_token_limit");
  expect((await api.get(`/v1/tenants/${tenant.id}/quota?key=key_${"0".repeat(24)}`, { key: tenant.reader })).code).toBe("not-found");
});

test("a PUT or a PATCH without a body changes nothing: limits are not taken off by a body that was lost", async () => {
  const tenant = await provisionTenant({ policy: { daily_token_limit: 1000 } });
  for (const method of ["put", "patch"] as const) {
    const at = method === "put" ? `/v1/tenants/${tenant.id}/policy` : `/v1/tenants/${tenant.id}`;
    const refused = await api[method](at, { key: OPERATOR_KEY, raw: "" });
    expect([refused.status, refused.code], method).toEqual([400, "invalid-request"]);
  }
  expect((await quotaOf(tenant)).daily_token_limit.limit).toBe(1000);
  // Where the body may be left out, it may.
  expect((await api.put(`/v1/tenants/${tenant.id}/catalog/nothing`, { key: OPERATOR_KEY, raw: "" })).code).toBe("not-found");
});
