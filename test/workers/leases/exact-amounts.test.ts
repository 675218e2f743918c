/** Amounts stay whole numbers that JavaScript and SQLite both hold, also where no limit is set. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { MAX_LEASE_TOKENS } from "../../../schema/contract/amounts.ts";
import { OPERATOR_KEY, api } from "../../support/api.ts";
import { askLease, getLease, objectOf, quotaOf, readyTenant } from "../../support/tenant.ts";

test("one lease holds a bounded number of tokens, also where the tenant has no limit", async () => {
  const tenant = await readyTenant({}, { input_nanos_per_token: 0, output_nanos_per_token: 0 });
  for (const tokens of [MAX_LEASE_TOKENS + 1, Number.MAX_SAFE_INTEGER]) {
    const refused = await askLease(tenant, { tokens });
    expect([refused.status, refused.code, refused.json.errors[0].path]).toEqual([400, "invalid-request", "tokens"]);
  }
  expect((await getLease(tenant, { tokens: MAX_LEASE_TOKENS })).hold).toBe(MAX_LEASE_TOKENS);
});

test("without limits, holds end where their sum would no longer be exact; nothing is lost when they are revoked", async () => {
  const tenant = await readyTenant({}, { input_nanos_per_token: 0, output_nanos_per_token: 0 });
  await getLease(tenant, { tokens: 1 });
  await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { enabled: false } });
  await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { enabled: true } });
  // What it takes 90 million leases to post.
  const posted = Number.MAX_SAFE_INTEGER - MAX_LEASE_TOKENS;
  await runInDurableObject(objectOf(tenant.id), (_, { storage }) => storage.sql.exec("UPDATE windows SET posted = ? WHERE scope = 't'", posted).toArray());
  await evictDurableObject(objectOf(tenant.id)); // it has the table in memory
  expect((await askLease(tenant, { tokens: MAX_LEASE_TOKENS })).status).toBe(201);
  const more = await askLease(tenant, { tokens: 1 });
  expect([more.status, more.json.code]).toEqual([429, "monthly-quota-exceeded"]);
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: MAX_LEASE_TOKENS, posted });
  await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { enabled: false } });
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: Number.MAX_SAFE_INTEGER });
});

test("a repeat of a grant whose lease was revoked since is refused, and so is what the lease would read", async () => {
  const tenant = await readyTenant();
  const ask = { headers: { "idempotency-key": "once" } };
  const lease = await getLease(tenant, { tokens: 10 }, ask);
  await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { enabled: false } });
  const repeat = await askLease(tenant, { tokens: 10 }, ask);
  expect([repeat.status, repeat.json.code]).toEqual([403, "lease-revoked"]);
  const models = await api.get("/v1/models", { key: lease.lease });
  expect([models.status, models.json.code]).toEqual([403, "lease-revoked"]);
});

test("the operator's model_quota leaves the rest of the ceiling where it was", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const put = (daily: number) => api.put(`/v1/tenants/${tenant.id}/policy`, { key: tenant.admin, body: { daily_token_limit: daily, model_quota: 50 } });
  expect((await put(100)).status).toBe(200);
  expect((await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { model_quota: 50 } })).status).toBe(200);
  expect((await put(1000)).status).toBe(200);
  expect((await put(1001)).status).toBe(403);
});
