/** Signing keys over HTTP: an overlap refuses no lease, a removal accepts none, and forged leases open no way in. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { type JWTPayload, createLocalJWKSet, decodeJwt, jwtVerify } from "jose";
import { describe, expect, test } from "vitest";
import { createApp } from "../../../worker/app.ts";
import { settingsOf } from "../../../worker/env.ts";
import { ACCESS } from "../../../worker/http/access.ts";
import { BASE, OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { type SigningJwk, forge, newSigningKey } from "../../support/lease-token.ts";
import { type TestTenant, getLease, leaseState, quotaOf, readyTenant, report } from "../../support/tenant.ts";

const [current] = settingsOf(env).signingKeys;

/** The Worker with these signing keys, over the same tenant objects. */
function deployment(...keys: object[]) {
  const app = createApp();
  const own = { ...env, LEASE_SIGNING_KEYS: JSON.stringify({ keys }) };
  const send = (path: string, init?: RequestInit) => Promise.resolve(app.fetch(new Request(new URL(path, BASE), init), own, createExecutionContext()));
  return {
    jwks: async () => (await send("/.well-known/jwks.json")).json<{ keys: { kid: string }[] }>(),
    manifest: async (lease: string) => (await send("/v1/models/tiny/manifest", { headers: { authorization: `Bearer ${lease}` } })).status,
    lease: async (tenant: TestTenant) => {
      const body = JSON.stringify({ model: "tiny", tokens: 1 });
      const answer = await send("/v1/leases", { method: "POST", body, headers: { authorization: `Bearer ${tenant.secret}`, "content-type": "application/json" } });
      return (await answer.json<{ lease: string }>()).lease;
    },
  };
}

test("a rotation with overlap: 0 valid leases refused; after the removal 0 accepted", async () => {
  const tenant = await readyTenant();
  const next = await newSigningKey("next");
  const { d: _, ...retired } = current;
  const [today, published, signing, removed] = [deployment(current), deployment(current, next), deployment(next, retired), deployment(next)];
  const leasesOf = (at: ReturnType<typeof deployment>) => Promise.all(Array.from({ length: 20 }, () => at.lease(tenant)));
  const old = [...(await leasesOf(today)), ...(await leasesOf(published))];
  const young = await leasesOf(signing);
  const statuses = async (at: ReturnType<typeof deployment>, leases: string[]) => [...new Set(await Promise.all(leases.map((lease) => at.manifest(lease))))];

  expect(await statuses(published, old)).toEqual([200]);
  // A new lease may reach a Worker that does not sign with its key yet.
  expect(await statuses(published, young)).toEqual([200]);
  expect(await statuses(signing, [...old, ...young])).toEqual([200]);
  expect(await statuses(removed, young)).toEqual([200]);
  expect(await statuses(removed, old)).toEqual([401]);
  expect(await statuses(today, young)).toEqual([401]);
  expect((await signing.jwks()).keys.map(({ kid }) => kid)).toEqual(["next", current.kid]);
});

test("the published keys verify what is signed, and say how long they may be kept", async () => {
  const tenant = await readyTenant();
  const { lease } = await getLease(tenant);
  const answer = await api.get("/.well-known/jwks.json");
  expect(answer.headers.get("cache-control")).toMatch(/^public, max-age=\d+/);
  expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  expect(answer.text).not.toContain('"d"');
  const { payload } = await jwtVerify(lease, createLocalJWKSet(answer.json), { issuer: BASE, audience: "leasehold", typ: "lease+jwt" });
  expect(payload).toMatchObject({ tenant: tenant.id, model: "tiny", purpose: "inference", hold: 100 });
});

describe("forged leases", () => {
  const ways = Object.entries(ACCESS).filter(([, row]) => (row as readonly string[]).includes("lease")).map(([way]) => way.split(" ") as [string, string]);

  test("every way in that takes a lease takes none that we did not sign", async () => {
    const tenant = await readyTenant();
    const lease = await getLease(tenant);
    const mine = await newSigningKey(current.kid);
    const forgeries = [
      await forge(mine, decodeJwt(lease.lease)),
      await forge({ ...mine, kid: "mine" }, decodeJwt(lease.lease)),
      await forge(current as SigningJwk, decodeJwt(lease.lease), { typ: "erasure+jwt" }),
      await forge(current as SigningJwk, { ...decodeJwt(lease.lease), exp: undefined } as JWTPayload),
      `${lease.lease.slice(0, -1)}${lease.lease.endsWith("A") ? "B" : "A"}`,
    ];
    expect(ways.length).toBeGreaterThanOrEqual(5);
    for (const [method, pattern] of ways) {
      const path = pattern.replace("{id}", lease.lease_id).replace("{model}", "tiny").replace("{sha256}", "0".repeat(64));
      for (const key of forgeries) {
        const { status, code } = await api.call(method, path, { key, body: method === "POST" ? {} : undefined });
        expect([status, code], `${method} ${path} ${key.slice(-8)}`).toEqual([401, "unauthorized"]);
      }
    }
  });

  test("a lease signed with the right key for what is not there: refused by the tenant's object", async () => {
    const [tenant, other] = [await readyTenant(), await readyTenant()];
    const lease = await getLease(tenant);
    const claims = decodeJwt(lease.lease);
    const foreign = await forge(current as SigningJwk, { ...claims, tenant: other.id, sub: (claims.sub as string).replace(tenant.id, other.id) });
    expect((await api.get("/v1/models/tiny/manifest", { key: foreign })).status).toBe(404);
    // What the token says of its hold is for the client: the object's own book decides.
    const generous = await forge(current as SigningJwk, { ...claims, hold: 1_000_000 });
    expect((await report({ ...lease, lease: generous }, { input_tokens: 101 })).code).toBe("usage-exceeds-hold");
  });
});

describe("replay", () => {
  test("one usage report sent 60 times, under the one lease and its other spellings: counts once", async () => {
    const tenant = await readyTenant({ daily_token_limit: 1_000 });
    const lease = await getLease(tenant);
    const spellings = [lease.lease, ...[..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"].map((last) => lease.lease.slice(0, -1) + last)].slice(0, 60);
    const answers = await Promise.all(spellings.map((text) => report({ ...lease, lease: text }, { input_tokens: 7, final: false })));
    const accepted = answers.filter(({ status }) => status === 200);
    expect(accepted.length).toBeGreaterThanOrEqual(1);
    expect(answers.filter(({ status }) => status !== 200).every(({ code }) => code === "unauthorized")).toBe(true);
    expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ posted: 7, held: 93 });
  });

  test("a settled lease's token changes nothing more, though it is valid for minutes", async () => {
    const tenant = await readyTenant({ daily_token_limit: 1_000 });
    const lease = await getLease(tenant);
    const first = expectStatus(await report(lease, { input_tokens: 7 }), 200);
    expect((await report(lease, { input_tokens: 7 })).json).toEqual(first.json);
    expect((await report(lease, { seq: 1, input_tokens: 7 })).code).toBe("lease-settled");
    expect(await leaseState(tenant, lease.lease_id)).toMatchObject({ state: "settled", used: 7 });
    expect((await api.get(`/v1/tenants/${tenant.id}/audit?action=INFERENCE_EXECUTED`, { key: OPERATOR_KEY })).json.data).toHaveLength(1);
  });
});
