/** Offline leases: an allowance held for a day without a network, and reported within a day after it. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { expect, test } from "vitest";
import { OPERATOR_KEY, api } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { ORIGIN, askLease, getLease, leaseState, objectOf, quotaOf, readyTenant, report } from "../../support/tenant.ts";

const time = clock();
const START = "2026-11-20T10:00:00Z";
const END = "2026-11-21T10:00:00Z";
const GRACE_END = "2026-11-22T10:00:00Z";
const offline = (more: object = {}) => ({ tokens: 400, offline: true, ...more });

test("is granted only where the policy allows it", async () => {
  const tenant = await readyTenant();
  const refused = await askLease(tenant, offline());
  expect([refused.status, refused.code]).toEqual([403, "forbidden"]);
  expect((await quotaOf(tenant)).daily_token_limit.held).toBe(0);
  await api.put(`/v1/tenants/${tenant.id}/policy`, { key: OPERATOR_KEY, body: { offline_leases: true } });
  expect((await askLease(tenant, offline())).status).toBe(201);
  expect((await askLease(tenant, offline(), { key: tenant.publishable, origin: ORIGIN })).status).toBe(201);
});

test("a tenant's admin can't allow them where the operator does not", async () => {
  const tenant = await readyTenant();
  const refused = await api.put(`/v1/tenants/${tenant.id}/policy`, { key: tenant.admin, body: { offline_leases: true } });
  expect([refused.status, refused.code]).toEqual([403, "forbidden"]);
});

test.each([
  ["longer than a day", { ttl_s: 86_401 }],
  ["a download", { purpose: "download", tokens: undefined }],
  ["without tokens", { tokens: undefined }],
])("is refused: %s", async (_name, more) => {
  const tenant = await readyTenant({ offline_leases: true });
  expect((await askLease(tenant, offline(more))).status).toBe(400);
});

test("holds its allowance for its whole life, so that it stays exact with no network", async () => {
  time.set(START);
  const tenant = await readyTenant({ offline_leases: true, daily_token_limit: 1000, monthly_token_limit: 1000 });
  const lease = await getLease(tenant, offline());
  expect([lease.expires_at, lease.reports_until]).toEqual([END, GRACE_END]);
  expect((await askLease(tenant, { tokens: 601 })).code).toBe("monthly-quota-exceeded");
  time.set("2026-11-22T09:59:59Z");
  const quota = await quotaOf(tenant);
  expect(quota.monthly_token_limit).toMatchObject({ held: 400, posted: 0, remaining: 600 });
  expect(quota.daily_token_limit).toMatchObject({ held: 0, posted: 0 });
});

test("is reported in its grace time, and the refund goes to the day that was charged", async () => {
  time.set(START);
  const tenant = await readyTenant({ offline_leases: true });
  const lease = await getLease(tenant, offline());
  time.set("2026-11-22T09:59:59Z");
  expect((await leaseState(tenant, lease.lease_id))).toMatchObject({ state: "active", offline: true, remaining: 400, expires_at: END, reports_until: GRACE_END });
  expect((await report(lease, { seq: 0, input_tokens: 100, final: false })).json).toMatchObject({ state: "active", remaining: 300 });
  expect((await report(lease, { seq: 1, input_tokens: 50 })).json).toMatchObject({ state: "settled", used: 150 });
  const usage = await api.get(`/v1/tenants/${tenant.id}/usage?group_by=day`, { key: tenant.reader });
  expect(usage.json.data).toMatchObject([{ key: "2026-11-20", total_tokens: 150 }]);
  expect((await quotaOf(tenant)).monthly_token_limit).toMatchObject({ held: 0, posted: 150 });
});

test("at the end of its grace time it is expired for who comes next, and costs what was not reported", async () => {
  time.set(START);
  const tenant = await readyTenant({ offline_leases: true });
  const lease = await getLease(tenant, offline());
  await report(lease, { seq: 0, input_tokens: 100, final: false });
  time.set(GRACE_END);
  const late = await report(lease, { seq: 1, input_tokens: 1 });
  const byKey = await report(lease, { seq: 1, input_tokens: 1 }, { key: tenant.secret });
  expect([late.status, late.code, byKey.status, byKey.code]).toEqual([401, "lease-expired", 401, "lease-expired"]);
  expect(await leaseState(tenant, lease.lease_id)).toMatchObject({ state: "expired", used: 400, resolved_at: GRACE_END });
  expect((await quotaOf(tenant)).monthly_token_limit).toMatchObject({ held: 0, posted: 400 });
});

test("the alarm leaves it alone until its grace time is over", async () => {
  time.set(START);
  const tenant = await readyTenant({ offline_leases: true });
  const lease = await getLease(tenant, offline({ ttl_s: 60 }));
  time.set("2026-11-20T10:01:30Z");
  await runDurableObjectAlarm(objectOf(tenant.id));
  expect((await leaseState(tenant, lease.lease_id)).state).toBe("active");
  time.set("2026-11-21T10:01:00Z");
  await runDurableObjectAlarm(objectOf(tenant.id));
  expect((await leaseState(tenant, lease.lease_id)).state).toBe("expired");
});

test("past its end it reads no weights and is no concurrent lease", async () => {
  time.set(START);
  const tenant = await readyTenant({ offline_leases: true, concurrent_leases: 1 });
  const lease = await getLease(tenant, offline());
  const manifest = () => api.get("/v1/models/tiny/manifest", { key: lease.lease });
  expect((await manifest()).status).toBe(200);
  expect((await askLease(tenant)).code).toBe("concurrent-leases-exceeded");
  time.set(END);
  expect([(await manifest()).status, (await manifest()).code]).toEqual([401, "lease-expired"]);
  expect((await api.get(`/v1/leases/${lease.lease_id}`, { key: lease.lease })).status).toBe(200);
  expect((await askLease(tenant)).status).toBe(201);
});

test("a revoked one takes no report, in its life or in its grace time", async () => {
  time.set(START);
  const tenant = await readyTenant({ offline_leases: true });
  const lease = await getLease(tenant, offline());
  await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { enabled: false } });
  expect((await report(lease)).code).toBe("lease-revoked");
  time.set("2026-11-21T20:00:00Z");
  expect((await report(lease)).code).toBe("lease-revoked");
});

test("an ordinary lease has no grace time", async () => {
  time.set(START);
  const tenant = await readyTenant({ offline_leases: true });
  const lease = await getLease(tenant);
  expect(lease.reports_until).toBe(lease.expires_at);
  time.set(lease.expires_at);
  expect((await report(lease)).code).toBe("lease-expired");
});
