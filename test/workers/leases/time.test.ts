/** Time decides at read: expiry, windows and their ends, with a clock that the tests set. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { expect, test } from "vitest";
import { api } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type TestTenant, askLease, getLease, leaseState, objectOf, quotaOf, readyTenant, report } from "../../support/tenant.ts";

const time = clock();

const usageByDay = async (tenant: TestTenant) => (await api.get(`/v1/tenants/${tenant.id}/usage?group_by=day&period=2026-11`, { key: tenant.reader })).json.data;

test("an expired lease is expired at the next read, without an alarm, and costs its whole hold", async () => {
  time.set("2026-11-20T10:00:00Z");
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const lease = await getLease(tenant, { tokens: 100, ttl_s: 10 });
  await report(lease, { seq: 0, input_tokens: 30, final: false });

  time.set("2026-11-20T10:00:09.999Z");
  expect((await leaseState(tenant, lease.lease_id)).state).toBe("active");
  time.set("2026-11-20T10:00:10Z");
  expect(await leaseState(tenant, lease.lease_id)).toMatchObject({ state: "expired", used: 100, remaining: 0, resolved_at: "2026-11-20T10:00:10Z" });
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 100 });
});

test("quota shows an expired hold as posted and its slot as free, although nobody asked for the lease", async () => {
  time.set("2026-11-20T10:00:00Z");
  const tenant = await readyTenant({ concurrent_leases: 1 });
  await getLease(tenant, { tokens: 100, ttl_s: 10 });
  expect((await askLease(tenant)).code).toBe("concurrent-leases-exceeded");
  time.set("2026-11-20T10:00:10Z");
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 100 });
  expect((await askLease(tenant)).status).toBe(201);
});

test("a lease lives until exactly the instant that it was told, whatever the fraction of the second of its grant", async () => {
  time.set("2026-11-20T10:00:00.750Z");
  const tenant = await readyTenant();
  const lease = await getLease(tenant, { ttl_s: 10 });
  expect(lease.expires_at).toBe("2026-11-20T10:00:10Z");
  time.set("2026-11-20T10:00:09.999Z");
  expect((await report(lease, { seq: 0, final: false })).status).toBe(200);
  time.set("2026-11-20T10:00:10Z");
  expect((await report(lease, { seq: 1 })).code).toBe("lease-expired");
});

test("settled before its end, a lease does not expire: the alarm changes nothing", async () => {
  time.set("2026-11-20T10:00:00Z");
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const lease = await getLease(tenant, { tokens: 100, ttl_s: 10 });
  time.set("2026-11-20T10:00:09.999Z");
  expect((await report(lease, { input_tokens: 7 })).json.state).toBe("settled");
  time.set("2026-11-20T10:00:11Z");
  await runDurableObjectAlarm(objectOf(tenant.id));
  expect(await leaseState(tenant, lease.lease_id)).toMatchObject({ state: "settled", used: 7 });
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 7 });
});

test("at its end a lease is expired for who comes next, and the report that comes then changes nothing", async () => {
  time.set("2026-11-20T10:00:00Z");
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const lease = await getLease(tenant, { tokens: 100, ttl_s: 10 });
  time.set("2026-11-20T10:00:10Z");
  await runDurableObjectAlarm(objectOf(tenant.id));
  const byLease = await report(lease, { input_tokens: 7 });
  const byKey = await report(lease, { input_tokens: 7 }, { key: tenant.secret });
  expect([byLease.status, byLease.code, byKey.status, byKey.code]).toEqual([401, "lease-expired", 401, "lease-expired"]);
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 100 });
});

test.each([["report first", true], ["alarm first", false]])("settle and expiry at the same instant resolve the lease once: %s", async (_name, reportFirst) => {
  time.set("2026-11-20T10:00:00Z");
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const leases = await Promise.all(Array.from({ length: 20 }, () => getLease(tenant, { tokens: 10, ttl_s: 10 })));
  time.set("2026-11-20T10:00:10Z");
  const settle = () => Promise.all(leases.map((lease) => report(lease, { input_tokens: 1 }, { key: tenant.secret })));
  const alarm = () => runDurableObjectAlarm(objectOf(tenant.id));
  await Promise.all(reportFirst ? [settle(), alarm()] : [alarm(), settle()]);
  const states = await Promise.all(leases.map((lease) => leaseState(tenant, lease.lease_id)));
  expect(states.map((state) => state.state)).toEqual(Array.from({ length: 20 }, () => "expired"));
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 200 });
  const events = (await api.get(`/v1/tenants/${tenant.id}/audit?action=LEASE_EXPIRED`, { key: tenant.reader })).json.data;
  expect(events).toHaveLength(20);
});

test.each([
  ["UTC", "2026-11-20T23:59:58Z", "2026-11-21T00:00:01Z"],
  ["Europe/Berlin", "2026-11-20T22:59:58Z", "2026-11-20T23:00:01Z"],
  ["America/Los_Angeles", "2026-11-21T07:59:58Z", "2026-11-21T08:00:01Z"],
])("a refund goes to the day that was charged, in %s", async (time_zone, before, after) => {
  time.set(before);
  const tenant = await readyTenant({ daily_token_limit: 100, time_zone });
  const lease = await getLease(tenant, { tokens: 100 });
  expect((await askLease(tenant, { tokens: 1 })).json.resets_at).toBe(new Date(Date.parse(after) - 1000).toISOString().replace(".000Z", "Z"));

  time.set(after);
  const fresh = await quotaOf(tenant);
  expect(fresh.daily_token_limit).toMatchObject({ held: 0, posted: 0, remaining: 100 });
  expect(fresh.monthly_token_limit).toMatchObject({ held: 100, posted: 0 });
  const today = await getLease(tenant, { tokens: 100 });
  await report(lease, { input_tokens: 40 });
  // The 60 that came back are yesterday's: today has none left.
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 100, posted: 0, remaining: 0 });
  await report(today, { input_tokens: 1 });
  expect((await usageByDay(tenant)).map((row: { key: string; total_tokens: number }) => [row.key, row.total_tokens])).toEqual([
    ["2026-11-20", 40],
    ["2026-11-21", 1],
  ]);
  expect((await quotaOf(tenant)).monthly_token_limit).toMatchObject({ held: 0, posted: 41 });
});

test("a lease granted in the last second of a month is that month's, whenever it resolves", async () => {
  time.set("2026-10-31T23:59:59Z");
  const tenant = await readyTenant({ monthly_token_limit: 100, monthly_spend_limit: 1000 });
  const lease = await getLease(tenant, { tokens: 100 });
  time.set("2026-11-01T00:00:02Z");
  await report(lease, { input_tokens: 90 });
  const quota = await quotaOf(tenant);
  expect(quota.monthly_token_limit).toMatchObject({ held: 0, posted: 0, remaining: 100, reset: "2026-12-01T00:00:00Z" });
  expect(quota.monthly_spend_limit).toMatchObject({ held: 0, posted: 0 });
});

test("no 60 seconds admit more than the per-minute limits, and a refund frees its own second", async () => {
  time.set("2026-11-20T10:00:00Z");
  const tenant = await readyTenant({ tokens_per_minute: 100 });
  const lease = await getLease(tenant, { tokens: 60 });
  time.set("2026-11-20T10:00:30Z");
  await getLease(tenant, { tokens: 40 });
  const refused = await askLease(tenant, { tokens: 50 });
  expect([refused.code, refused.json.resets_at, refused.headers.get("retry-after")]).toEqual(["tokens-per-minute-exceeded", "2026-11-20T10:01:00Z", "30"]);
  await report(lease, { input_tokens: 10 });
  expect((await askLease(tenant, { tokens: 51 })).status).toBe(429);
  expect((await askLease(tenant, { tokens: 50 })).status).toBe(201);
  time.set("2026-11-20T10:00:59.999Z");
  expect((await askLease(tenant, { tokens: 1 })).status).toBe(429);
  time.set("2026-11-20T10:01:00Z");
  expect((await askLease(tenant, { tokens: 10 })).status).toBe(201);
});
