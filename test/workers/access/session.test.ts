/** Signing in at the console, in workerd: what the cookie is, what it can, when it ends, and what the audit says of it. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { SESSION_MS } from "../../../schema/contract/session.ts";
import { settingsOf } from "../../../worker/env.ts";
import { SESSION_COOKIE } from "../../../worker/sessions/cookie.ts";
import { signSession } from "../../../worker/sessions/token.ts";
import { BASE, OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { ORIGIN, makeKey, objectOf, provisionTenant } from "../../support/tenant.ts";
import { signedIn } from "../../support/who.ts";

const time = clock();

const inPage = (cookie: string) => ({ origin: BASE, headers: { cookie } });
const whoIs = (cookie: string) => api.get("/v1/session", inPage(cookie));

test("signing in sets a cookie that says no key, and both say when it ends", async () => {
  const tenant = await provisionTenant();
  const { id, key } = await makeKey(tenant.id, { type: "secret", name: "console", scopes: ["read", "leases"] });
  const now = Date.now();
  time.set(now);
  const answer = expectStatus(await api.post("/v1/session", { key, origin: BASE }), 201);
  expect(answer.json).toEqual({ kind: "secret", tenant: tenant.id, key_id: id, scopes: ["read", "leases"], expires_at: new Date(now + SESSION_MS).toISOString() });
  expect(answer.headers.get("set-cookie")).toMatch(new RegExp(`^${SESSION_COOKIE}=[\\w-]+\\.[\\w-]{43}; Max-Age=${SESSION_MS / 1000}; Path=/; Secure; HttpOnly; SameSite=Strict$`));
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  expect((await whoIs((answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "")).json).toEqual(answer.json);
  expect((await api.get("/v1/session", { key })).json).toEqual({ ...answer.json, expires_at: null });
});

test("the operator's session is the operator, until the operator key is another", async () => {
  const { id } = await provisionTenant();
  const cookie = await signedIn(OPERATOR_KEY);
  expect((await whoIs(cookie)).json).toMatchObject({ kind: "operator", tenant: null, key_id: null, scopes: [] });
  expectStatus(await api.patch(`/v1/tenants/${id}`, { ...inPage(cookie), body: { subscription_tier: "gold" } }), 200);
  expectStatus(await api.delete("/v1/session", { ...inPage(cookie), headers: { cookie, "x-request-id": `req_out_${id}` } }), 204);
  const { data } = expectStatus(await api.get(`/v1/operator/audit?request_id=req_out_${id}`, { key: OPERATOR_KEY }), 200).json;
  expect(data).toMatchObject([{ action: "CONSOLE_SIGNED_OUT", actor: "operator" }]);
  const before = signSession({ kind: "operator", id: "ses_1", endsAt: Date.now() + 60_000 }, { ...settingsOf(env), operatorKeySha256: "0".repeat(64) });
  expect((await whoIs(`${SESSION_COOKIE}=${before}`)).status).toBe(401);
});

test("both are in the audit, with the key and the request; what it does there is the key's", async () => {
  const tenant = await provisionTenant();
  const { id, key } = await makeKey(tenant.id, { type: "secret", name: "console", scopes: ["admin"] });
  const answer = expectStatus(await api.post("/v1/session", { key, origin: BASE, headers: { "x-request-id": "req_in" } }), 201);
  const cookie = (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  expectStatus(await api.patch(`/v1/tenants/${tenant.id}`, { ...inPage(cookie), body: { name: "By hand" } }), 200);
  const gone = expectStatus(await api.delete("/v1/session", { origin: BASE, headers: { cookie, "x-request-id": "req_out" } }), 204);
  expect(gone.headers.get("set-cookie")).toBe(`${SESSION_COOKIE}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict`);
  // A key itself has nothing to sign out of.
  expectStatus(await api.delete("/v1/session", { key }), 204);
  const { data } = expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit?limit=200`, { key: OPERATOR_KEY }), 200).json;
  const events = data.slice(-3).map(({ action, actor, request_id, details }: Record<string, unknown>) => ({ action, actor, request_id, details }));
  expect(events).toEqual([
    { action: "CONSOLE_SIGNED_IN", actor: id, request_id: "req_in", details: { key_id: id, scopes: ["admin"], expires_at: answer.json.expires_at } },
    expect.objectContaining({ action: "TENANT_UPDATED", actor: id }),
    { action: "CONSOLE_SIGNED_OUT", actor: id, request_id: "req_out", details: { key_id: id } },
  ]);
});

describe("a session ends at once", () => {
  test.each<[string, (tenant: { admin: string }) => string]>([["a tenant's", ({ admin }) => admin], ["the operator's", () => OPERATOR_KEY]])("when it is signed out of, for every copy of its cookie: %s; another session goes on", async (_, keyOf) => {
    const key = keyOf(await provisionTenant());
    const [copied, other] = [await signedIn(key), await signedIn(key)];
    expectStatus(await api.delete("/v1/session", inPage(copied)), 204);
    const again = await whoIs(copied);
    expect([again.status, again.code]).toEqual([401, "unauthorized"]);
    expect((await api.delete("/v1/session", inPage(copied))).status).toBe(401);
    expect((await whoIs(other)).status).toBe(200);
  });

  test("and is forgotten once it would have ended by itself", async () => {
    const tenant = await provisionTenant();
    const now = Date.now();
    time.set(now);
    const kept = () => runInDurableObject(objectOf(tenant.id), (_, { storage }) => storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM ended_sessions").one().n);
    for (const hours of [0, 7, 9]) {
      time.set(now + hours * 3_600_000);
      expectStatus(await api.delete("/v1/session", inPage(await signedIn(tenant.admin))), 204);
    }
    expect(await kept()).toBe(2);
  });

  test("when its key is revoked, and its cookie can be taken away even then", async () => {
    const tenant = await provisionTenant();
    const { id, key } = await makeKey(tenant.id, { type: "secret", name: "console", scopes: ["admin"] });
    const cookie = await signedIn(key);
    expectStatus(await api.delete(`/v1/tenants/${tenant.id}/keys/${id}`, inPage(cookie)), 200);
    expect((await whoIs(cookie)).code).toBe("unauthorized");
    const out = await api.delete("/v1/session", inPage(cookie));
    expect([out.status, out.headers.get("set-cookie")]).toEqual([401, expect.stringContaining("Max-Age=0")]);
  });

  test("when its key is rotated out or expires, and by itself after eight hours", async () => {
    const tenant = await provisionTenant();
    const now = Date.now();
    time.set(now);
    const rotated = await makeKey(tenant.id, { type: "secret", name: "rotated", scopes: ["admin"] });
    const short = await makeKey(tenant.id, { type: "secret", name: "short", scopes: ["admin"], expires_at: new Date(now + 60_000).toISOString() });
    const [cookie, brief, long] = [await signedIn(rotated.key), await signedIn(short.key), await signedIn(tenant.admin)];
    expect((await whoIs(brief)).json.expires_at).toBe(new Date(now + 60_000).toISOString());
    expectStatus(await api.post(`/v1/tenants/${tenant.id}/keys/${rotated.id}/rotate`, { key: OPERATOR_KEY, body: { overlap_s: 30 } }), 201);
    expect((await whoIs(cookie)).status).toBe(200);
    time.set(now + 30_000);
    expect((await whoIs(cookie)).code).toBe("unauthorized");
    time.set(now + 60_000);
    expect((await whoIs(brief)).code).toBe("unauthorized");
    time.set(now + SESSION_MS - 1_000);
    expect((await whoIs(long)).status).toBe(200);
    time.set(now + SESSION_MS);
    expect((await whoIs(long)).code).toBe("unauthorized");
  });
});

test("only our own pages use it: not another site's, and not a form that names no page", async () => {
  const tenant = await provisionTenant();
  const cookie = await signedIn(tenant.admin);
  const patch = (headers: Record<string, string>) => api.patch(`/v1/tenants/${tenant.id}`, { headers: { cookie, ...headers }, body: { name: "Changed" } });
  const strangers: Record<string, string>[] = [{}, { origin: "https://evil.example" }, { "sec-fetch-site": "same-site" }, { origin: "https://evil.example", "sec-fetch-site": "same-origin" }];
  for (const headers of strangers) {
    expect((await patch(headers)).code, JSON.stringify(headers)).toBe("origin-not-allowed");
  }
  expect((await patch({ "sec-fetch-site": "same-origin" })).status).toBe(200);
  const stranger = await api.delete("/v1/session", { headers: { cookie }, origin: "https://evil.example" });
  expect([stranger.code, stranger.headers.get("set-cookie")]).toEqual(["origin-not-allowed", null]);
});

test("a key signs in from our own page or from none; a header beside the cookie counts alone, also a wrong one", async () => {
  const tenant = await provisionTenant();
  expect((await api.post("/v1/session", { key: tenant.admin, origin: ORIGIN })).code).toBe("origin-not-allowed");
  expect((await api.post("/v1/session", { key: tenant.publishable, origin: BASE })).code).toBe("forbidden");
  expectStatus(await api.post("/v1/session", { key: tenant.admin }), 201);
  const cookie = await signedIn(tenant.admin);
  expect((await api.post("/v1/session", inPage(cookie))).code).toBe("unauthorized");
  expect((await api.get("/v1/session", { key: tenant.reader, headers: { cookie } })).json.scopes).toEqual(["read"]);
  expect((await api.get("/v1/session", { headers: { cookie, authorization: "Basic eDp5" } })).code).toBe("unauthorized");
});
