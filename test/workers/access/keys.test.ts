/** Keys: shown once, listed without secrets, rotated with an overlap, ended on time, revoked at once. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { parseKey } from "../../../schema/contract/keys.ts";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { ORIGIN, type TestTenant, askLease, getLease, leaseState, makeKey, objectOf, provisionTenant, quotaOf, readyTenant, report } from "../../support/tenant.ts";

const time = clock();

const keysOf = (tenant: TestTenant) => `/v1/tenants/${tenant.id}/keys`;
const rotate = (tenant: TestTenant, id: string, body: object = {}, idempotencyKey?: string) => api.post(`${keysOf(tenant)}/${id}/rotate`, { key: tenant.admin, body, idempotencyKey });
const works = async (tenant: TestTenant, key: string) => (await api.get(`/v1/tenants/${tenant.id}/quota`, { key })).status;

async function auditOf(tenant: TestTenant, action: string) {
  return expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit?action=${action}`, { key: OPERATOR_KEY }), 200).json.data as { details: Record<string, unknown>; actor: string; request_id: string | null }[];
}

test("a key is shown once: neither the list nor the database holds it", async () => {
  const tenant = await provisionTenant();
  const made = await makeKey(tenant.id, { type: "secret", name: "once", scopes: ["read"] });
  expect(parseKey(made.key)).toEqual({ kind: "secret", tenant: tenant.id });
  const listed = await api.get(keysOf(tenant), { key: tenant.admin });
  const stored = await runInDurableObject(objectOf(tenant.id), (_, state) => JSON.stringify(state.storage.sql.exec("SELECT * FROM keys").toArray()));
  const random = made.key.split("_")[3] as string;
  for (const text of [listed.text, stored]) expect(text).not.toContain(random);
  expect(listed.json.data.map((key: { id: string }) => key.id)).toContain(made.id);
  expect(Object.keys(listed.json.data[0]).sort()).toEqual(["created_at", "expires_at", "hint", "id", "limits", "name", "origins", "require_signed_user", "revoked_at", "rotated_to", "scopes", "type"]);
});

test("during the overlap both keys work; after it only the new one; both steps are in the audit", async () => {
  const tenant = await provisionTenant();
  const old = await makeKey(tenant.id, { type: "secret", name: "reports", scopes: ["read"] });
  const start = Math.floor(Date.now() / 1000) * 1000;
  time.set(start);
  const answer = await rotate(tenant, old.id, { overlap_s: 600 });
  expect(answer.status).toBe(201);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  const next = answer.json;
  expect(next).toMatchObject({ type: "secret", name: "reports", scopes: ["read"], expires_at: null, rotated_to: null });
  expect([await works(tenant, old.key), await works(tenant, next.key)]).toEqual([200, 200]);

  time.set(start + 599_999);
  expect([await works(tenant, old.key), await works(tenant, next.key)]).toEqual([200, 200]);
  time.set(start + 600_000);
  expect([await works(tenant, old.key), await works(tenant, next.key)]).toEqual([401, 200]);

  await runDurableObjectAlarm(objectOf(tenant.id));
  const listed = expectStatus(await api.get(keysOf(tenant), { key: tenant.admin }), 200).json.data.find((key: { id: string }) => key.id === old.id);
  expect(listed).toMatchObject({ rotated_to: next.id, expires_at: new Date(start + 600_000).toISOString().replace(".000Z", "Z"), revoked_at: null });
  expect((await auditOf(tenant, "KEY_ROTATED")).map((event) => event.details)).toMatchObject([{ key_id: old.id, rotated_to: next.id }]);
  expect((await auditOf(tenant, "KEY_EXPIRED")).map((event) => event.details)).toEqual([{ key_id: old.id, rotated_to: next.id }]);
  await runDurableObjectAlarm(objectOf(tenant.id));
  expect(await auditOf(tenant, "KEY_EXPIRED")).toHaveLength(1);
});

test("an overlap of 0 ends the old key now; a rotated or dead key is not rotated again", async () => {
  const tenant = await provisionTenant();
  const old = await makeKey(tenant.id, { type: "secret", name: "k", scopes: ["read"] });
  const next = (await rotate(tenant, old.id, { overlap_s: 0 })).json;
  expect([await works(tenant, old.key), await works(tenant, next.key)]).toEqual([401, 200]);
  expect((await rotate(tenant, old.id)).code).toBe("conflict");
  expectStatus(await api.delete(`${keysOf(tenant)}/${next.id}`, { key: tenant.admin }), 200);
  expect((await rotate(tenant, next.id)).code).toBe("conflict");
  expect((await rotate(tenant, "key_000000000000000000000000")).code).toBe("not-found");
  for (const overlap_s of [-1, 1.5, 2_592_001, "60", null]) expect((await rotate(tenant, old.id, { overlap_s })).code, String(overlap_s)).toBe("invalid-request");
  const live = await makeKey(tenant.id, { type: "secret", name: "twice" });
  expectStatus(await rotate(tenant, live.id), 201);
  expect((await rotate(tenant, live.id)).code).toBe("conflict");
});

test("a rotated publishable key keeps its origins; a key with a life span is followed by one of the same span", async () => {
  const tenant = await readyTenant();
  const start = Math.floor(Date.now() / 1000) * 1000;
  time.set(start);
  const site = await makeKey(tenant.id, { type: "publishable", name: "site", origins: [ORIGIN], expires_at: new Date(start + 3_600_000).toISOString() });
  time.set(start + 1_800_000);
  const next = (await rotate(tenant, site.id, { overlap_s: 86_400 })).json;
  expect(next).toMatchObject({ origins: [ORIGIN], expires_at: new Date(start + 1_800_000 + 3_600_000).toISOString().replace(".000Z", "Z") });
  expect((await askLease(tenant, {}, { key: next.key, origin: ORIGIN })).status).toBe(201);
  // The overlap never makes the old key live longer than it would have.
  time.set(start + 3_600_000);
  expect((await askLease(tenant, {}, { key: site.key, origin: ORIGIN })).status).toBe(401);
});

test("a rotated publishable key still requires the user to be signed", async () => {
  const tenant = await readyTenant();
  const site = await makeKey(tenant.id, { type: "publishable", name: "site", origins: [ORIGIN], require_signed_user: true });
  const next = (await rotate(tenant, site.id)).json;
  expect(next.require_signed_user).toBe(true);
  expect((await askLease(tenant, { user: "anna" }, { key: next.key, origin: ORIGIN })).status).toBeGreaterThanOrEqual(400);
});

test("a rotation gives no allowance twice: the line of keys shares its limit", async () => {
  const tenant = await readyTenant();
  const first = await makeKey(tenant.id, { type: "secret", name: "capped", scopes: ["leases"], limits: { daily_token_limit: 100 } });
  expect((await askLease(tenant, { tokens: 60 }, { key: first.key })).status).toBe(201);
  const second = (await rotate(tenant, first.id)).json;
  expect((await askLease(tenant, { tokens: 50 }, { key: second.key })).code).toBe("key-quota-exceeded");
  expect((await askLease(tenant, { tokens: 40 }, { key: second.key })).status).toBe(201);
  const third = (await rotate(tenant, second.id)).json;
  for (const { key } of [first, second, third]) expect((await askLease(tenant, { tokens: 1 }, { key })).code).toBe("key-quota-exceeded");
});

test("a repeat with the same Idempotency-Key shows the same new key; nothing is rotated twice", async () => {
  const tenant = await provisionTenant();
  const old = await makeKey(tenant.id, { type: "secret", name: "k", scopes: ["read"] });
  const [a, b] = await Promise.all([rotate(tenant, old.id, {}, "rot-1"), rotate(tenant, old.id, {}, "rot-1")]);
  const c = await rotate(tenant, old.id, {}, "rot-1");
  expect([a?.status, b?.status, c.status]).toEqual([201, 201, 201]);
  expect(new Set([a?.json.key, b?.json.key, c.json.key]).size).toBe(1);
  expect(await works(tenant, c.json.key)).toBe(200);
  expect(await auditOf(tenant, "KEY_ROTATED")).toHaveLength(1);
  expect((await rotate(tenant, old.id, { overlap_s: 1 }, "rot-1")).code).toBe("idempotency-key-reused");
});

test("a revoked key stops at once, everywhere, and its leases with it", async () => {
  const tenant = await readyTenant({ daily_token_limit: 10_000 });
  const site = await makeKey(tenant.id, { type: "publishable", name: "leaked", origins: [ORIGIN] });
  const lease = await getLease(tenant, { tokens: 300 }, { key: site.key, origin: ORIGIN });
  const bystander = await getLease(tenant, { tokens: 200 });
  expect(expectStatus(await api.delete(`${keysOf(tenant)}/${site.id}`, { key: tenant.admin }), 200).json.revoked_at).not.toBeNull();

  const asks = await Promise.all(Array.from({ length: 20 }, () => askLease(tenant, {}, { key: site.key, origin: ORIGIN })));
  expect(asks.map((answer) => answer.code)).toEqual(Array.from({ length: 20 }, () => "unauthorized"));
  expect((await api.get("/v1/models", { key: site.key, origin: ORIGIN })).status).toBe(401);
  expect((await api.get(`/embed?key=${site.key}`)).status).toBe(401);

  expect((await report(lease, { input_tokens: 1 })).code).toBe("lease-revoked");
  expect((await api.get("/v1/models/tiny/manifest", { key: lease.lease })).code).toBe("lease-revoked");
  expect(await leaseState(tenant, lease.lease_id)).toMatchObject({ state: "revoked", used: 300 });
  expect((await report(bystander, { input_tokens: 1 })).status).toBe(200);
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 301 });
  expect((await auditOf(tenant, "KEY_REVOKED")).map((event) => event.details)).toEqual([{ key_id: site.id, leases_revoked: 1 }]);

  // Revoking again changes nothing.
  expectStatus(await api.delete(`${keysOf(tenant)}/${site.id}`, { key: tenant.admin }), 200);
  expect(await auditOf(tenant, "KEY_REVOKED")).toHaveLength(1);
});

test("leases=keep lets the leases of a revoked key run out", async () => {
  const tenant = await readyTenant();
  const backend = await makeKey(tenant.id, { type: "secret", name: "old", scopes: ["leases"] });
  const lease = await getLease(tenant, { tokens: 10 }, { key: backend.key });
  expectStatus(await api.delete(`${keysOf(tenant)}/${backend.id}?leases=keep`, { key: tenant.admin }), 200);
  expect((await askLease(tenant, {}, { key: backend.key })).status).toBe(401);
  expect((await report(lease, { input_tokens: 4 })).json).toMatchObject({ state: "settled", used: 4 });
});

test("a key that would never be valid is not made", async () => {
  const tenant = await provisionTenant();
  const answer = await api.post(keysOf(tenant), { key: tenant.admin, body: { type: "secret", name: "late", expires_at: new Date(Date.now() - 1000).toISOString() } });
  expect([answer.status, answer.code]).toEqual([400, "invalid-request"]);
});

test("of active keys there are at most 1,000; one that is revoked, or rotated without an overlap, makes room", async () => {
  const tenant = await provisionTenant();
  const [{ id }, spare] = [await makeKey(tenant.id, { type: "secret", name: "last" }), await makeKey(tenant.id, { type: "secret", name: "spare" })];
  await runInDurableObject(objectOf(tenant.id), (_, state) =>
    void state.storage.sql.exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 994) INSERT INTO keys (id, hash, type, name, hint, scopes, origins, limits, created_at) SELECT 'key_' || i, 'hash' || i, 'secret', 'many', '', '[]', '[]', '{}', 0 FROM n"));
  const make = () => api.post(keysOf(tenant), { key: tenant.admin, body: { type: "secret", name: "one more" } });
  expect([await make(), await rotate(tenant, id)].map(({ status, code }) => [status, code])).toEqual([[409, "conflict"], [409, "conflict"]]);
  expect((await rotate(tenant, id, { overlap_s: 0 })).status).toBe(201);
  expect((await make()).status).toBe(409);
  expectStatus(await api.delete(`${keysOf(tenant)}/${spare.id}`, { key: tenant.admin }), 200);
  expect((await make()).status).toBe(201);
});

test("a key for as long as there are dates is followed by one that ends with them", async () => {
  const tenant = await provisionTenant();
  const old = expectStatus(await api.post(keysOf(tenant), { key: tenant.admin, body: { type: "secret", name: "long", expires_at: "9999-12-31T23:59:59Z" } }), 201).json;
  time.set(Date.now() + 3_600_000);
  expect(expectStatus(await rotate(tenant, old.id), 201).json.expires_at).toBe("9999-12-31T23:59:59.999Z");
});
