/** Limits of one key, of each kind: within the tenant's, shared by the keys that take its place. */
import { evictDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import type { KeyLimits } from "../../../schema/contract/tenants.ts";
import { type Answer, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { askLease, getLease, makeKey, objectOf, readyTenant, report } from "../../support/tenant.ts";

const time = clock();
const START = "2026-11-22T10:00:00Z";

const CASES: [keyof KeyLimits, number, string, string][] = [
  ["monthly_token_limit", 100, "key-monthly-quota-exceeded", "key-monthly-quota"],
  ["tokens_per_minute", 100, "key-tokens-per-minute-exceeded", "key-tokens-per-minute"],
  ["requests_per_minute", 2, "key-requests-per-minute-exceeded", "key-requests-per-minute"],
  ["concurrent_leases", 2, "key-concurrent-leases-exceeded", "key-concurrent-leases"],
];

test.each(CASES)("%s", async (limit, value, code, field) => {
  time.set(START);
  const tenant = await readyTenant();
  const made = await makeKey(tenant.id, { type: "secret", name: "small", scopes: ["leases"], limits: { [limit]: value } });
  const first = await getLease(tenant, { tokens: 50 }, { key: made.key });
  const second = await askLease(tenant, { tokens: 50 }, { key: made.key });
  expect(second.json.quota[`key_${limit}`]).toMatchObject({ limit: value, remaining: 0 });
  expect(second.headers.get("ratelimit")).toContain(`"${field}";r=0`);
  const refused = await askLease(tenant, { tokens: 1 }, { key: made.key });
  expect([refused.status, refused.code, refused.json.limit]).toEqual([429, code, value]);
  expect(refused.headers.get("ratelimit-policy")).toContain(`"${field}";q=${value}`);
  // Other keys go on; a rotated one has no allowance of its own, nor has an object that was put away.
  expect((await askLease(tenant, { tokens: 50 })).status).toBe(201);
  const next = expectStatus(await api.post(`/v1/tenants/${tenant.id}/keys/${made.id}/rotate`, { key: tenant.admin, body: { overlap_s: 3_600 } }), 201).json;
  await evictDurableObject(objectOf(tenant.id));
  for (const key of [made.key, next.key]) expect((await askLease(tenant, { tokens: 1 }, { key })).code).toBe(code);
  expect((await api.get(`/v1/tenants/${tenant.id}/quota?key=${next.id}`, { key: tenant.reader })).json[`key_${limit}`]).toMatchObject({ limit: value, remaining: 0 });
  // What is given back, or leaves the window, is free again.
  await report(first, { input_tokens: 10 });
  time.advance(60_000);
  expect((await askLease(tenant, { tokens: 40 }, { key: next.key })).status).toBe(201);
});

test("limits that a key does not name are none", async () => {
  const tenant = await readyTenant();
  const { id } = await makeKey(tenant.id, { type: "secret", name: "one limit", scopes: ["leases"], limits: { daily_token_limit: 5 } });
  const listed = expectStatus(await api.get(`/v1/tenants/${tenant.id}/keys`, { key: tenant.admin }), 200).json.data.find((key: { id: string }) => key.id === id);
  expect(listed.limits).toEqual({ daily_token_limit: 5, monthly_token_limit: null, tokens_per_minute: null, requests_per_minute: null, concurrent_leases: null });
});

test("the key's limits stand on every answer about its leases, and a repeat's fields say how they stand now", async () => {
  time.set(START);
  const tenant = await readyTenant();
  const { key } = await makeKey(tenant.id, { type: "secret", name: "small", scopes: ["leases"], limits: { monthly_token_limit: 100 } });
  const left = (answer: Answer) => /"key-monthly-quota";r=(\d+)/.exec(answer.headers.get("ratelimit") ?? "")?.[1];
  const ask = () => askLease(tenant, { tokens: 40 }, { key, idempotencyKey: "once" });
  const first = await ask();
  await getLease(tenant, { tokens: 25 }, { key });
  const repeat = await ask();
  expect([first.text === repeat.text, left(first), left(repeat)]).toEqual([true, "60", "35"]);
  const { lease, lease_id } = first.json;
  const state = `/v1/leases/${lease_id}`;
  for (const who of [lease, key, tenant.secret]) expect(left(await api.get(state, { key: who }))).toBe("35");
  for (const who of [lease, key]) expect(left(await api.get("/v1/leases/ls_none_000000000000000000000000", { key: who }))).toBe("35");
  expect(left(await api.get("/v1/models/tiny/manifest", { key: lease }))).toBe("35");
  expect(left(await report(first.json, { input_tokens: 10 }))).toBe("65");
});
