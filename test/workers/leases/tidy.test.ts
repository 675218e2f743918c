/** What is over is forgotten in time, and nothing that is still asked for. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { OPERATOR_KEY, api } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type TestTenant, askLease, getLease, leaseState, makeKey, objectOf, quotaOf, readyTenant, report } from "../../support/tenant.ts";

// In the future, so that no alarm fires but those that the tests run.
const time = clock();
const DAY = 86_400_000;
const alarm = (tenant: TestTenant) => runDurableObjectAlarm(objectOf(tenant.id));
const rows = (tenant: TestTenant, table: string) => runInDurableObject(objectOf(tenant.id), (_object, state) => state.storage.sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${table}`).one().n);

/** Asks for something that sets the alarm, and lets it run. */
async function passDays(tenant: TestTenant, days: number): Promise<void> {
  time.advance(days * DAY);
  await askLease(tenant, { purpose: "download" });
  await alarm(tenant);
}

test("leases and their reports go after 7 days; what they cost stays", async () => {
  time.set("2040-11-03T10:00:00Z");
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const settled = await getLease(tenant, { tokens: 100, user: "u1" });
  await report(settled, { input_tokens: 40 });
  const expired = await getLease(tenant, { tokens: 10 });
  await passDays(tenant, 6);
  expect([(await leaseState(tenant, settled.lease_id)).state, (await leaseState(tenant, expired.lease_id)).state]).toEqual(["settled", "expired"]);

  await passDays(tenant, 1.1);
  expect((await api.get(`/v1/leases/${settled.lease_id}`, { key: tenant.secret })).code).toBe("not-found");
  expect((await report(settled, { input_tokens: 40 }, { key: tenant.secret })).code).toBe("not-found");
  expect([await rows(tenant, "leases"), await rows(tenant, "reports")]).toEqual([2, 0]);
  expect((await quotaOf(tenant)).monthly_token_limit).toMatchObject({ held: 0, posted: 50 });
  const bill = await api.get(`/v1/tenants/${tenant.id}/billing?period=2040-11`, { key: tenant.reader });
  expect(bill.json).toMatchObject({ total_tokens: 50, api_calls: 2 });
});

test("answers to idempotency keys go after their day: the key is as new", async () => {
  time.set("2040-11-03T10:00:00Z");
  const tenant = await readyTenant();
  const first = await askLease(tenant, { tokens: 10 }, { idempotencyKey: "k" });
  time.advance(DAY - 1);
  await alarm(tenant);
  expect((await askLease(tenant, { tokens: 10 }, { idempotencyKey: "k" })).json.lease_id).toBe(first.json.lease_id);
  const before = await rows(tenant, "idempotency");
  await passDays(tenant, 1);
  expect(await rows(tenant, "idempotency")).toBe(before - 1);
  expect((await askLease(tenant, { tokens: 11 }, { idempotencyKey: "k" })).status).toBe(201);
});

test("windows of users and keys go after 40 days, the tenant's after 400", async () => {
  time.set("2040-11-03T10:00:00Z");
  const tenant = await readyTenant();
  await report(await getLease(tenant, { tokens: 10, user: "u1" }), { input_tokens: 5 });
  const scopes = () => runInDurableObject(objectOf(tenant.id), (_object, state) => state.storage.sql.exec<{ scope: string }>("SELECT scope FROM windows ORDER BY scope").toArray().map(({ scope }) => scope[0]));
  expect(await scopes()).toEqual(["k", "t", "u"]);
  await passDays(tenant, 39);
  expect(await scopes()).toEqual(["k", "t", "u"]);
  await passDays(tenant, 2);
  expect(await scopes()).toEqual(["t"]);
  await passDays(tenant, 361);
  expect(await scopes()).toEqual([]);
});

test("an offline lease in its grace time is not forgotten", async () => {
  time.set("2040-11-03T10:00:00Z");
  const tenant = await readyTenant({ offline_leases: true });
  const lease = await getLease(tenant, { tokens: 10, offline: true });
  await passDays(tenant, 1.9);
  expect((await report(lease, { input_tokens: 3 })).json.state).toBe("settled");
});

test("a key goes 90 days after it was revoked", async () => {
  time.set("2040-11-03T10:00:00Z");
  const tenant = await readyTenant();
  const { id } = await makeKey(tenant.id, { type: "secret", name: "short-lived" });
  await api.delete(`/v1/tenants/${tenant.id}/keys/${id}`, { key: OPERATOR_KEY });
  await passDays(tenant, 89);
  expect(await rows(tenant, "keys")).toBe(5);
  await passDays(tenant, 2);
  expect(await rows(tenant, "keys")).toBe(4);
});
