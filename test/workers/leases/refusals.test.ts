/** What is refused, with which code, and that it costs nothing. */
import { beforeAll, describe, expect, test } from "vitest";
import { OPERATOR_KEY, api } from "../../support/api.ts";
import { ORIGIN, type TestTenant, askLease, getLease, leaseState, makeKey, quotaOf, readyTenant, report } from "../../support/tenant.ts";

describe("bodies", () => {
  let tenant: TestTenant;
  beforeAll(async () => {
    tenant = await readyTenant({ daily_token_limit: 1000 });
  });

  test.each(["0", "-5", "0.5", '"7"', "null", "1e999", "-1e999", "9007199254740992", "true", "[]", "{}", '"1e3"', "1e-7"])("tokens: %s", async (tokens) => {
    const refused = await api.post("/v1/leases", { key: tenant.secret, raw: `{"model":"tiny","tokens":${tokens}}` });
    expect([refused.status, refused.code]).toEqual([400, "invalid-request"]);
    expect(refused.json.errors[0].path).toBe("tokens");
  });

  test.each(["", "{", "[]", "null", '"x"', '{"model":"tiny"}', '{"tokens":5}', '{"model":"tiny","tokens":5,"tenant":"other"}', '{"model":"tiny","tokens":5,"purpose":"download"}', '{"model":"../x","tokens":5}', '{"model":"tiny","tokens":5,"ttl_s":301}', '{"model":"tiny","tokens":5,"ttl_s":0}'])("body %s", async (raw) => {
    const refused = await api.post("/v1/leases", { key: tenant.secret, raw });
    expect([refused.status, refused.code]).toEqual([400, "invalid-request"]);
  });

  test.each([["seq", -1], ["seq", 0.5], ["input_tokens", -1], ["input_tokens", 1.5], ["output_tokens", "3"], ["latency_ms", -1], ["outcome", "fine"], ["backend", "cuda"], ["final", 1], ["cost", 5]])("a report with %s %s", async (field, value) => {
    const lease = await getLease(tenant, { tokens: 5 });
    const refused = await report(lease, { [field]: value });
    expect([refused.status, refused.code]).toEqual([400, "invalid-request"]);
    expect((await leaseState(tenant, lease.lease_id)).state).toBe("active");
    await report(lease);
  });

  test.each([true, false])("a user who is not UTF-8, its length stated: %s. Two broken names must not be one user", async (isStated) => {
    const [before, after] = ['{"model":"tiny","tokens":5,"user":"a', '"}'].map((text) => new TextEncoder().encode(text)) as [Uint8Array, Uint8Array];
    for (const broken of [[0xff], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf0, 0x9f, 0x98]]) {
      const body = new Uint8Array([...before, ...broken, ...after]);
      const refused = await api.post("/v1/leases", { key: tenant.secret, body, headers: { "content-type": "application/json", ...(isStated && { "content-length": String(body.length) }) } });
      expect([refused.status, refused.code]).toEqual([400, "invalid-request"]);
    }
  });

  test("a body with thousands of faults is told a few of them, cut short: an answer is never as large as what was sent", async () => {
    const labels = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`no label ${i}`, ""]));
    for (const body of [{ model: "tiny", tokens: 5, metadata: labels }, labels]) {
      const refused = await api.post("/v1/leases", { key: tenant.secret, body });
      expect([refused.status, refused.code]).toEqual([400, "invalid-request"]);
      expect(refused.json.errors.length).toBeLessThanOrEqual(20);
      expect(refused.text.length).toBeLessThan(20_000);
    }
  });

  test("nothing of it was charged", async () => {
    expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 0, posted: 0 });
  });

  test("a model that the tenant does not have", async () => {
    const refused = await askLease(tenant, { model: "nothing" });
    expect([refused.status, refused.code]).toEqual([404, "model-not-available"]);
  });

  test("a hold that costs more than can be counted", async () => {
    const dear = await readyTenant({}, { input_nanos_per_token: 1_000_000_000, output_nanos_per_token: 1_000_000_000 });
    const refused = await askLease(dear, { tokens: 9_007_200 });
    expect([refused.status, refused.code]).toEqual([400, "invalid-request"]);
    expect((await askLease(dear, { tokens: 9_007_199 })).status).toBe(201);
  });
});

describe("limits of 0 refuse everything, with the limit in the answer", () => {
  test.each([
    ["daily_token_limit", "daily-quota-exceeded"],
    ["monthly_token_limit", "monthly-quota-exceeded"],
    ["per_user_daily_tokens", "user-quota-exceeded"],
    ["tokens_per_minute", "tokens-per-minute-exceeded"],
    ["requests_per_minute", "requests-per-minute-exceeded"],
    ["concurrent_leases", "concurrent-leases-exceeded"],
    ["monthly_spend_limit", "spend-limit-exceeded"],
  ])("%s", async (field, code) => {
    const tenant = await readyTenant({ [field]: 0 });
    const refused = await askLease(tenant, { user: "u" });
    expect([refused.status, refused.code, refused.json.limit, refused.json.remaining]).toEqual([429, code, 0, 0]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    expect(refused.headers.get("ratelimit-policy")).toContain("q=0");
  });

  test("a key's own limit", async () => {
    const tenant = await readyTenant();
    const { key } = await makeKey(tenant.id, { type: "secret", name: "small", scopes: ["leases"], limits: { daily_token_limit: 50 } });
    expect((await askLease(tenant, { tokens: 50 }, { key })).status).toBe(201);
    const refused = await askLease(tenant, { tokens: 1 }, { key });
    expect([refused.status, refused.code]).toEqual([429, "key-quota-exceeded"]);
    expect((await askLease(tenant, { tokens: 1 })).status).toBe(201);
  });

  test("one user's limit is not another's", async () => {
    const tenant = await readyTenant({ per_user_daily_tokens: 100 });
    expect((await askLease(tenant, { user: "a" })).status).toBe(201);
    expect((await askLease(tenant, { user: "a" })).code).toBe("user-quota-exceeded");
    expect((await askLease(tenant, { user: "b" })).status).toBe(201);
  });
});

describe("credentials", () => {
  test("a publishable key works from its own origin alone", async () => {
    const tenant = await readyTenant();
    expect((await askLease(tenant, {}, { key: tenant.publishable, origin: ORIGIN })).status).toBe(201);
    for (const origin of ["https://evil.example", "null", `${ORIGIN}.evil.example`, "http://shop.example", `${ORIGIN}:444`, undefined]) {
      const refused = await askLease(tenant, {}, { key: tenant.publishable, origin });
      expect([refused.status, refused.code], String(origin)).toEqual([403, "origin-not-allowed"]);
    }
  });

  test("a secret key with a browser's Origin is refused", async () => {
    const tenant = await readyTenant();
    const refused = await askLease(tenant, {}, { origin: ORIGIN });
    expect([refused.status, refused.code]).toEqual([403, "origin-not-allowed"]);
  });

  test("a lease is for itself: another's usage and state are not found, of the same tenant or another", async () => {
    const [one, two] = [await readyTenant(), await readyTenant()];
    const [mine, sibling, foreign] = [await getLease(one), await getLease(one), await getLease(two)];
    for (const other of [sibling, foreign]) {
      const state = await api.get(`/v1/leases/${other.lease_id}`, { key: mine.lease });
      const usage = await report(other, {}, { key: mine.lease });
      expect([state.status, state.code, usage.status, usage.code]).toEqual([404, "not-found", 404, "not-found"]);
    }
    const byKey = await api.get(`/v1/leases/${foreign.lease_id}`, { key: one.secret });
    expect([byKey.status, byKey.code]).toEqual([404, "not-found"]);
    expect((await leaseState(two, foreign.lease_id)).state).toBe("active");
  });

  test("a disabled tenant grants nothing; its leases are revoked and charged whole", async () => {
    const tenant = await readyTenant({ daily_token_limit: 1000 });
    const lease = await getLease(tenant, { tokens: 100 });
    await report(lease, { seq: 0, input_tokens: 40, final: false });
    await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { enabled: false } });

    const refused = await askLease(tenant);
    expect([refused.status, refused.code]).toEqual([403, "tenant-disabled"]);
    const late = await report(lease, { seq: 1, input_tokens: 1 });
    expect([late.status, late.code]).toEqual([403, "lease-revoked"]);
    expect(await leaseState(tenant, lease.lease_id)).toMatchObject({ state: "revoked", used: 100 });
    const manifest = await api.get("/v1/models/tiny/manifest", { key: lease.lease });
    expect([manifest.status, manifest.code]).toEqual([403, "lease-revoked"]);

    await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { enabled: true } });
    expect((await askLease(tenant)).status).toBe(201);
    expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 100, posted: 100 });
  });

  test("a limit lowered under what is charged refuses, and shows 0 remaining", async () => {
    const tenant = await readyTenant({ daily_token_limit: 1000 });
    await getLease(tenant, { tokens: 500 });
    await api.put(`/v1/tenants/${tenant.id}/policy`, { key: OPERATOR_KEY, body: { daily_token_limit: 100 } });
    const refused = await askLease(tenant, { tokens: 1 });
    expect([refused.code, refused.json.remaining]).toEqual(["daily-quota-exceeded", 0]);
    expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ limit: 100, held: 500, remaining: 0 });
  });
});
