/** The life of a lease over HTTP: grant, report, settle, and what each balance shows after it. */
import { expect, test } from "vitest";
import { askLease, getLease, leaseState, quotaOf, readyTenant, report } from "../../support/tenant.ts";

test("a grant holds its tokens; a final report posts what was used and gives back the rest", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000, monthly_token_limit: 5000, monthly_spend_limit: 100_000, concurrent_leases: 3 });
  const lease = await getLease(tenant, { tokens: 300, user: "u1" });
  expect(lease.hold).toBe(300);
  expect(lease.quota.daily_token_limit).toMatchObject({ limit: 1000, held: 300, posted: 0, remaining: 700 });
  expect(lease.quota.concurrent_leases).toMatchObject({ held: 1, remaining: 2 });
  // The most that 300 tokens can cost: all at the dearer price, and one call.
  expect(lease.quota.monthly_spend_limit).toMatchObject({ held: 605, posted: 0 });

  const settled = await report(lease, { input_tokens: 40, output_tokens: 60 });
  expect(settled.status).toBe(200);
  expect(settled.json).toMatchObject({ state: "settled", hold: 300, used: 100, remaining: 0, reports: 1, cost: { currency: "USD", nanos: 40 + 120 + 5 } });

  const quota = await quotaOf(tenant, "u1");
  for (const window of ["daily_token_limit", "monthly_token_limit", "tokens_per_minute", "per_user_daily_tokens"]) {
    expect(quota[window], window).toMatchObject({ held: 0, posted: 100 });
  }
  expect(quota.daily_token_limit.remaining).toBe(900);
  expect(quota.monthly_spend_limit).toMatchObject({ held: 0, posted: 165 });
  expect(quota.concurrent_leases.held).toBe(0);
});

test("partial reports use up the hold; what is left can still be used", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const lease = await getLease(tenant, { tokens: 100 });
  const first = await report(lease, { seq: 0, input_tokens: 30, final: false });
  expect(first.json).toMatchObject({ state: "active", used: 30, remaining: 70 });
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 70, posted: 30, remaining: 900 });

  const second = await report(lease, { seq: 1, output_tokens: 70, final: false });
  expect(second.json).toMatchObject({ state: "active", used: 100, remaining: 0 });
  const last = await report(lease, { seq: 2, final: true });
  expect(last.json).toMatchObject({ state: "settled", used: 100, cost: { nanos: 30 + 140 + 5 } });
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 100 });
});

test("a lease that several calls share holds the price of each, and each that a report tells of is paid", async () => {
  const tenant = await readyTenant({ monthly_spend_limit: 100_000 });
  const lease = await getLease(tenant, { tokens: 100, calls: 4 });
  expect([lease.calls, lease.quota.monthly_spend_limit.held]).toEqual([4, 200 + 4 * 5]);
  expect((await report(lease, { seq: 0, input_tokens: 10, calls: 3, final: false })).json).toMatchObject({ state: "active", cost: { nanos: 10 + 15 } });
  const tooMany = await report(lease, { seq: 1, input_tokens: 10, calls: 2 });
  expect([tooMany.status, tooMany.code, tooMany.json]).toEqual([409, "usage-exceeds-hold", expect.objectContaining({ limit: 4, remaining: 1 })]);
  expect((await report(lease, { seq: 1, input_tokens: 10, calls: 1 })).json).toMatchObject({ state: "settled", cost: { nanos: 20 + 20 } });
  expect((await quotaOf(tenant)).monthly_spend_limit).toMatchObject({ held: 0, posted: 40 });
  for (const calls of [0, 10_001, 1.5]) expect((await askLease(tenant, { tokens: 10, calls })).code).toBe("invalid-request");
  expect((await askLease(tenant, { purpose: "download", calls: 1 })).code).toBe("invalid-request");
});

test("the same report again gives the same answer and charges nothing; another body under its number is a conflict", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const lease = await getLease(tenant);
  const body = { seq: 4, input_tokens: 10, output_tokens: 5, final: false };
  const first = await report(lease, body);
  const again = await report(lease, body);
  expect(again.json).toEqual(first.json);
  const other = await report(lease, { ...body, output_tokens: 6 });
  expect([other.status, other.code]).toEqual([409, "conflict"]);
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 85, posted: 15 });

  await report(lease, { seq: 5, final: true });
  expect((await report(lease, body)).json).toEqual(first.json);
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 15 });
});

test("100 copies of one report at once count once", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const lease = await getLease(tenant);
  const answers = await Promise.all(Array.from({ length: 100 }, () => report(lease, { input_tokens: 10 })));
  expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 10 });
});

test("a report above what is left of the hold is refused and charges nothing", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const lease = await getLease(tenant, { tokens: 50 });
  await report(lease, { seq: 0, input_tokens: 20, final: false });
  const above = await report(lease, { seq: 1, input_tokens: 15, output_tokens: 16 });
  expect([above.status, above.code, above.json.limit, above.json.remaining]).toEqual([409, "usage-exceeds-hold", 50, 30]);
  expect(await leaseState(tenant, lease.lease_id)).toMatchObject({ state: "active", used: 20, remaining: 30, reports: 1 });
});

test("a settled lease takes no further reports", async () => {
  const tenant = await readyTenant();
  const lease = await getLease(tenant);
  await report(lease, { seq: 0, input_tokens: 1 });
  const late = await report(lease, { seq: 1, input_tokens: 1 });
  expect([late.status, late.code]).toEqual([409, "lease-settled"]);
});

test("an error before anything ran costs neither tokens nor a call", async () => {
  const tenant = await readyTenant();
  const lease = await getLease(tenant);
  const failed = await report(lease, { outcome: "error", error_code: "device-lost" });
  expect(failed.json).toMatchObject({ state: "settled", used: 0, cost: { nanos: 0 } });
});

test("a download lease holds nothing but a request", async () => {
  const tenant = await readyTenant({ daily_token_limit: 10, requests_per_minute: 1, concurrent_leases: 0 });
  const lease = await getLease(tenant, { purpose: "download" });
  expect(lease.hold).toBe(0);
  const second = await askLease(tenant, { purpose: "download" });
  expect([second.status, second.code]).toEqual([429, "requests-per-minute-exceeded"]);
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 0 });
});
