/** Denials in the audit: which are the tenant's to know of, and what is left of their count when the object is put away. */
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { expect, test } from "vitest";
import { crc32 } from "../../../schema/contract/keys.ts";
import { type Answer, OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { ORIGIN, type TestTenant, askLease, makeKey, objectOf, readyTenant } from "../../support/tenant.ts";

const time = clock();
// In the future, so that no alarm fires but those that the tests run.
const START = Date.parse("2040-11-20T10:00:00Z");

const denials = async (tenant: TestTenant): Promise<[string, string, number][]> =>
  (await api.get(`/v1/tenants/${tenant.id}/audit?action=LEASE_DENIED&limit=200`, { key: tenant.reader })).json.data.map(
    ({ actor, details }: { actor: string; details: { reason: string; count: number } }) => [actor, details.reason, details.count],
  );

test("a known credential that is not let in is written, throttled as every denial; one that nobody made is not", async () => {
  time.set(START);
  const tenant = await readyTenant();
  const revoked = await makeKey(tenant.id, { type: "secret", name: "revoked", scopes: ["leases"] });
  expectStatus(await api.delete(`/v1/tenants/${tenant.id}/keys/${revoked.id}`, { key: OPERATOR_KEY }), 200);
  const site = await makeKey(tenant.id, { type: "publishable", name: "site", origins: [ORIGIN] });
  const reader = await makeKey(tenant.id, { type: "secret", name: "reports", scopes: ["read"] });
  const elsewhere = { key: site.key, origin: "https://evil.example" };
  for (let i = 0; i < 5; i++) expect((await askLease(tenant, {}, elsewhere)).code).toBe("origin-not-allowed");
  expect((await askLease(tenant, {}, { key: revoked.key })).code).toBe("unauthorized");
  expect((await askLease(tenant, {}, { key: reader.key })).code).toBe("forbidden");
  const body = `lh_sk_${tenant.id}_${"a".repeat(32)}`;
  expect((await askLease(tenant, {}, { key: body + crc32(body) })).code).toBe("unauthorized");
  const written = [[site.id, "origin-not-allowed", 1], [revoked.id, "unauthorized", 1], [reader.id, "forbidden", 1]];
  expect(await denials(tenant)).toEqual(written);
  time.advance(60_000);
  await runDurableObjectAlarm(objectOf(tenant.id));
  expect(await denials(tenant)).toEqual([...written, ["system", "origin-not-allowed", 4]]);
});

test("what was counted outlives the object", async () => {
  time.set(START);
  const tenant = await readyTenant({ concurrent_leases: 0 });
  for (let i = 0; i < 28; i++) await askLease(tenant);
  time.set(START + 10_000);
  expect(await runDurableObjectAlarm(objectOf(tenant.id))).toBe(true);
  for (let i = 0; i < 2; i++) await askLease(tenant);
  await evictDurableObject(objectOf(tenant.id));
  time.set(START + 60_000);
  expect(await runDurableObjectAlarm(objectOf(tenant.id))).toBe(true);
  const [first, rest] = (await denials(tenant)).map(([, , count]) => count);
  // 30 came: the two after the last note are lost.
  expect([first, rest]).toEqual([1, 27]);
});

test("a flood above a limit of requests is refused at the door, alike, and every refusal is counted", async () => {
  time.set(START);
  const tenant = await readyTenant({ requests_per_minute: 2 });
  const refused: Answer[] = [];
  const ask = async (...how: Parameters<typeof askLease> extends [unknown, ...infer More] ? More : never) => {
    const answer = await askLease(tenant, ...how);
    if (answer.status === 429) refused.push(answer);
    return answer;
  };
  // Whoever is held is told so before the body is read, as long as the hold lasts.
  const misspelt = async () => {
    await Promise.all(Array.from({ length: 40 }, () => ask()));
    return (await ask({ tokens: "many" })).code;
  };
  await expect.poll(misspelt, { timeout: 20_000 }).toBe("requests-per-minute-exceeded");
  expect((await ask({ tokens: "many" }, { idempotencyKey: "again" })).code).toBe("invalid-request");
  const told = refused.map(({ code, json, headers }) => JSON.stringify([code, json.limit, json.remaining, json.resets_at, headers.get("retry-after"), headers.get("ratelimit"), headers.get("access-control-allow-origin")]));
  expect(new Set(told).size).toBe(1);
  expect(new Set(refused.map(({ headers }) => headers.get("x-request-id"))).size).toBe(refused.length);

  expectStatus(await api.put(`/v1/tenants/${tenant.id}/policy`, { key: OPERATOR_KEY, body: { requests_per_minute: 1000 } }), 200);
  expect((await ask({}, { idempotencyKey: "again" })).status).toBe(201);
  // What the limit let in once it was raised is granted as soon as the hold is over: a second after the object's word.
  time.advance(1_000);
  expect((await ask()).status).toBe(201);
  time.advance(60_000);
  const counted = async () => {
    await runDurableObjectAlarm(objectOf(tenant.id));
    return (await denials(tenant)).reduce((sum, [, , count]) => sum + count, 0);
  };
  await expect.poll(counted, { timeout: 20_000 }).toBe(refused.length);
});
