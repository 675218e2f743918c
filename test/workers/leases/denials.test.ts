/** Denials in the audit: which are the tenant's to know of, and what is left of their count when the object is put away. */
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { expect, test } from "vitest";
import { crc32 } from "../../../schema/contract/keys.ts";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { ORIGIN, type TestTenant, askLease, makeKey, objectOf, readyTenant } from "../../support/tenant.ts";

const time = clock();
// In the future, so that no alarm fires but those that the tests run.
const START = Date.parse("2040-11-20T10:00:00Z");

const denials = async (tenant: TestTenant) =>
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
  for (let second = 0; second < 10; second++) {
    time.set(START + second * 1_000);
    for (let i = 0; i < 3; i++) await askLease(tenant);
  }
  await evictDurableObject(objectOf(tenant.id));
  time.set(START + 60_000);
  expect(await runDurableObjectAlarm(objectOf(tenant.id))).toBe(true);
  const [[, , first], [, , rest]] = await denials(tenant);
  // 30 came: the two after the last note are lost.
  expect([first, rest]).toEqual([1, 27]);
});
