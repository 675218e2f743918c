/** Alerts at 50, 80 and 100 % of each limit: once for a window and threshold, in the audit and to the webhooks. */
import { evictDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { alarm, receiver, verifySigned } from "../../support/receiver.ts";
import { type TestTenant, askLease, getLease, makeKey, objectOf, provisionTenant, publishTinyModel, readyTenant, report } from "../../support/tenant.ts";

// In the future, so that no alarm fires but those that the tests run.
const time = clock();

interface Alert {
  readonly user: string | null;
  readonly details: { limit: string; threshold: number; used: number; window: string; key_id?: string };
}

const alertsOf = async (tenant: TestTenant): Promise<Alert[]> => (await api.get(`/v1/tenants/${tenant.id}/audit?action=QUOTA_ALERT&limit=200`, { key: tenant.reader })).json.data;
const told = async (tenant: TestTenant) => (await alertsOf(tenant)).map(({ details }) => `${details.limit} ${details.threshold}`);

test("each threshold is told once, when it is reached", async () => {
  const tenant = await readyTenant({ daily_token_limit: 100 });
  await getLease(tenant, { tokens: 49 });
  expect(await told(tenant)).toEqual([]);
  await getLease(tenant, { tokens: 1 });
  expect(await told(tenant)).toEqual(["daily_token_limit 50"]);
  const lease = await getLease(tenant, { tokens: 30 });
  expect(await told(tenant)).toEqual(["daily_token_limit 50", "daily_token_limit 80"]);
  // Given back and taken again: nothing new. Nor after an eviction.
  await report(lease);
  await evictDurableObject(objectOf(tenant.id));
  await getLease(tenant, { tokens: 30 });
  await getLease(tenant, { tokens: 20 });
  expect(await told(tenant)).toEqual(["daily_token_limit 50", "daily_token_limit 80", "daily_token_limit 100"]);
});

test("500 requests at once tell each threshold once", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  await Promise.all(Array.from({ length: 500 }, () => askLease(tenant, { tokens: 10 })));
  expect(await told(tenant)).toEqual(["daily_token_limit 50", "daily_token_limit 80", "daily_token_limit 100"]);
});

test("a webhook gets each as a signed message with the figures", async () => {
  const sent = receiver();
  time.set("2040-11-20T10:00:00Z");
  const tenant = await readyTenant({ daily_token_limit: 100 });
  const { secret } = expectStatus(await api.post(`/v1/tenants/${tenant.id}/webhooks`, { key: tenant.admin, body: { url: "https://hooks.example.com/", events: ["quota.threshold"] } }), 201).json;
  await getLease(tenant, { tokens: 85 });
  await alarm(tenant);
  const messages = sent.received.map((one) => verifySigned(secret, one) as (typeof one)["message"]);
  expect(messages.sort((a, b) => Number(a.data.threshold) - Number(b.data.threshold))).toEqual(
    [50, 80].map((threshold) => ({
      type: "quota.threshold", timestamp: "2040-11-20T10:00:00Z",
      data: { tenant: tenant.id, actor: "system", limit: "daily_token_limit", threshold, value: 100, used: 85, held: 85, posted: 0, remaining: 15, window: "2040-11-20", resets_at: "2040-11-21T00:00:00Z" },
    })),
  );
});

test("the next day tells anew", async () => {
  time.set("2040-11-20T23:59:00Z");
  const tenant = await readyTenant({ daily_token_limit: 100 });
  await getLease(tenant, { tokens: 60 });
  time.set("2040-11-21T00:00:00Z");
  await getLease(tenant, { tokens: 60 });
  expect((await alertsOf(tenant)).map(({ details }) => [details.threshold, details.window])).toEqual([[50, "2040-11-20"], [50, "2040-11-21"]]);
});

test("a limit that refuses while at least 80 % is used has reached 100 %, though its last tokens are never used", async () => {
  const tenant = await readyTenant({ daily_token_limit: 100 });
  await getLease(tenant, { tokens: 79 });
  await askLease(tenant, { tokens: 50 });
  expect(await told(tenant)).toEqual(["daily_token_limit 50"]);
  await getLease(tenant, { tokens: 16 });
  expect(await told(tenant)).toEqual(["daily_token_limit 50", "daily_token_limit 80"]);
  for (let i = 0; i < 5; i++) expect((await askLease(tenant, { tokens: 10 })).status).toBe(429);
  const last = (await alertsOf(tenant)).at(-1);
  expect(last?.details).toMatchObject({ threshold: 100, used: 95 });
  expect(await told(tenant)).toHaveLength(3);
});

test("limits of the month, of money, of the minute, of concurrency", async () => {
  const tenant = await readyTenant({ monthly_token_limit: 100, monthly_spend_limit: 205, tokens_per_minute: 100, requests_per_minute: 2, concurrent_leases: 2 });
  await getLease(tenant, { tokens: 50 });
  expect((await told(tenant)).sort()).toEqual(["concurrent_leases 50", "monthly_spend_limit 50", "monthly_token_limit 50", "requests_per_minute 50", "tokens_per_minute 50"]);
});

test("limits of users and of keys are told for each", async () => {
  const tenant = await readyTenant({ per_user_daily_tokens: 100 });
  const { id, key } = await makeKey(tenant.id, { type: "secret", name: "small", scopes: ["leases"], limits: { daily_token_limit: 200 } });
  await getLease(tenant, { tokens: 50, user: "a" }, { key });
  await getLease(tenant, { tokens: 50, user: "b" }, { key });
  const alerts = (await alertsOf(tenant)).map(({ user, details }) => [details.limit, details.threshold, user ?? details.key_id]);
  expect(alerts).toEqual([["per_user_daily_tokens", 50, "a"], ["per_user_daily_tokens", 50, "b"], ["key_daily_token_limit", 50, id]]);
});

test("egress, storage and models", async () => {
  const tenant = await provisionTenant({ policy: { storage_bytes: 900, model_quota: 1, egress_bytes_daily: 100 } });
  const model = await publishTinyModel(tenant, { size: 60 });
  expect(await told(tenant)).toEqual(["model_quota 50", "model_quota 80", "model_quota 100", "storage_bytes 50"]);
  await api.get(`/v1/blobs/${model.digest}`, { key: tenant.secret, headers: { range: "bytes=0-54" } });
  expect((await told(tenant)).slice(4)).toEqual(["egress_bytes_daily 50"]);
  await api.get(`/v1/blobs/${model.digest}`, { key: tenant.secret, headers: { range: "bytes=0-29" } });
  expect((await told(tenant)).slice(5)).toEqual(["egress_bytes_daily 80"]);
  expect((await api.get(`/v1/blobs/${model.digest}`, { key: tenant.secret })).code).toBe("egress-quota-exceeded");
  expect((await told(tenant)).slice(6)).toEqual(["egress_bytes_daily 100"]);
});

test("a limit that is lowered under what is used tells at once", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  await getLease(tenant, { tokens: 90 });
  await api.put(`/v1/tenants/${tenant.id}/policy`, { key: OPERATOR_KEY, body: { daily_token_limit: 100 } });
  expect(await told(tenant)).toEqual(["daily_token_limit 50", "daily_token_limit 80"]);
});

test("a flood of denials is one message a minute", async () => {
  const sent = receiver();
  time.set("2040-11-20T10:00:00Z");
  const tenant = await readyTenant({ concurrent_leases: 0 });
  await api.post(`/v1/tenants/${tenant.id}/webhooks`, { key: tenant.admin, body: { url: "https://hooks.example.com/", events: ["anomaly.denials"] } });
  await Promise.all(Array.from({ length: 150 }, () => askLease(tenant)));
  time.set("2040-11-20T10:01:00Z");
  await alarm(tenant);
  await alarm(tenant);
  expect(sent.received.map(({ message }) => [message.type, message.data])).toEqual([["anomaly.denials", { tenant: tenant.id, actor: "system", reason: "concurrent-leases-exceeded", count: 149 }]]);
});
