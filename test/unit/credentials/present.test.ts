/** The door on a real Hono app, before any tenant object is asked: what a request may present, and for which tenant. */
import { Hono } from "hono";
import { beforeAll, describe, expect, test } from "vitest";
import { type ProofKey, makeProof, makeProofKey } from "../../../schema/contract/dpop-proof.ts";
import type { RequestId, TenantId } from "../../../schema/contract/ids.ts";
import { makeKey, makeOperatorKey } from "../../../schema/contract/keys.ts";
import { makeSecrets, workerSecrets } from "../../../cli/secrets.ts";
import { type Env, settingsOf } from "../../../worker/env.ts";
import type { AppEnv } from "../../../worker/http/app-env.ts";
import { admit, callOf, enter } from "../../../worker/http/enter.ts";
import { presentedBy } from "../../../worker/http/present.ts";
import { ProblemError, problemResponse } from "../../../worker/http/problem.ts";
import { signLease } from "../../../worker/leases/token.ts";
import { canonicalJson, sha256Hex } from "../../../worker/ledger/audit-chain.ts";
import { grant } from "../../support/lease-token.ts";

const BASE = "https://leasehold.test";
const ACME = "acme" as TenantId;
const secrets = makeSecrets();
const env = { ...workerSecrets(secrets), LEASE_ISSUER: BASE } as Env;

const app = new Hono<AppEnv>();
app.use(async (c, next) => {
  c.set("requestId", "req_1" as RequestId);
  await next();
});
app.all("/presented", async (c) => c.json(await presentedBy(c)));
app.get("/v1/tenants/:t/keys", admit("GET /v1/tenants/{t}/keys"), (c) => c.json({ tenant: c.get("tenant"), kind: c.get("presented").kind }));
app.get("/v1/tenants", admit("GET /v1/tenants"), (c) => c.json({ tenant: c.get("tenant") }));
app.get("/v1/models", admit("GET /v1/models"), (c) => {
  const { call, presented, tenant } = enter(c, "GET /v1/models");
  return c.json({ call, presented, tenant });
});
app.delete("/v1/tenants/:t", admit("DELETE /v1/tenants/{t}"), (c) => c.json({ passed: true }));
app.get("/v1/metrics.prom", admit("GET /v1/metrics.prom"), (c) => c.json(enter(c, "GET /v1/metrics.prom").tenant));
app.post("/v1/leases", admit("POST /v1/leases"), async (c) => c.json(callOf(c, "POST /v1/leases", ACME, await c.req.json(), { user: "u1" as never, metadata: { tier: "pro" } })));
app.onError((error, c) => {
  if (error instanceof ProblemError) return problemResponse(c, error);
  throw error;
});

async function ask(path: string, headers: Record<string, string> = {}, init: RequestInit = {}) {
  const response = await app.request(`${BASE}${path}`, { ...init, headers }, env);
  const json = (await response.json()) as Record<string, unknown> & { code?: string };
  return { status: response.status, json, code: json.code, challenge: response.headers.get("www-authenticate") };
}
const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` });
const present = async (headers: Record<string, string>, init?: RequestInit) => {
  const { status, json, code } = await ask("/presented", headers, init);
  return status === 200 ? json : code;
};

const secretKey = makeKey("secret", ACME);
const publishableKey = makeKey("publishable", ACME);

describe("a key", () => {
  test("is presented as its type, its tenant and its hash; never as itself", async () => {
    expect(await present(bearer(secretKey))).toEqual({ kind: "key", type: "secret", tenant: "acme", hash: sha256Hex(secretKey), origin: null, fromEmbed: false });
    expect(await present(bearer(publishableKey))).toEqual({ kind: "key", type: "publishable", tenant: "acme", hash: sha256Hex(publishableKey), origin: null, fromEmbed: false });
  });

  test.each([
    [{ origin: "https://shop.example" }, { origin: "https://shop.example", fromEmbed: false }],
    [{ origin: "null" }, { origin: "null", fromEmbed: false }],
    [{ origin: BASE }, { origin: null, fromEmbed: true }],
    [{ "sec-fetch-site": "same-origin" }, { origin: null, fromEmbed: true }],
    [{ "sec-fetch-site": "same-site" }, { origin: null, fromEmbed: false }],
    [{ "sec-fetch-site": "cross-site", origin: BASE }, { origin: null, fromEmbed: true }],
    // A page of another origin is another origin, whatever else the browser says.
    [{ "sec-fetch-site": "same-origin", origin: "https://shop.example" }, { origin: "https://shop.example", fromEmbed: false }],
    [{ origin: "http://leasehold.test" }, { origin: "http://leasehold.test", fromEmbed: false }],
  ])("from %j comes from %j", async (headers, where) => {
    expect(await present({ ...bearer(publishableKey), ...headers })).toMatchObject(where);
  });

  test("with a typing error, or bound like a lease, is unauthorized", async () => {
    expect(await present(bearer(`${secretKey.slice(0, -1)}${secretKey.endsWith("0") ? "1" : "0"}`))).toBe("unauthorized");
    expect(await present({ authorization: `DPoP ${secretKey}` })).toBe("unauthorized");
    expect(await present(bearer("lh_"))).toBe("unauthorized");
  });
});

describe("the header", () => {
  test.each([
    ["none", {}],
    ["empty", { authorization: "" }],
    ["another scheme", { authorization: `Basic ${secretKey}` }],
    ["no scheme", { authorization: secretKey }],
    ["a scheme alone", { authorization: "Bearer" }],
    ["two credentials", { authorization: `Bearer ${secretKey} ${secretKey}` }],
    ["something before the scheme", { authorization: `X Bearer ${secretKey}` }],
    ["two spaces", { authorization: `Bearer  ${secretKey}` }],
    ["a letter of no key", { authorization: `Bearer ${secretKey}\u00e9` }],
    ["more than any credential is long", bearer(`lh_${"a".repeat(4094)}`)],
  ] as [string, Record<string, string>][])("%s: unauthorized, and asked for a credential", async (_, headers) => {
    const { status, code, challenge } = await ask("/presented", headers);
    expect([status, code]).toEqual([401, "unauthorized"]);
    expect(challenge).toContain("Bearer");
  });

  test("the scheme is written in any case", async () => {
    for (const scheme of ["bearer", "BEARER"]) expect(await present({ authorization: `${scheme} ${secretKey}` })).toMatchObject({ kind: "key" });
  });
});

describe("the operator's key", () => {
  test("is the one whose hash is configured, and no other", async () => {
    expect(await present(bearer(secrets.operatorKey))).toEqual({ kind: "operator" });
    expect(await present(bearer(makeOperatorKey()))).toBe("unauthorized");
  });

  test("is refused in a page of another origin", async () => {
    expect(await present({ ...bearer(secrets.operatorKey), origin: "https://shop.example" })).toBe("origin-not-allowed");
    expect(await present({ ...bearer(secrets.operatorKey), origin: BASE })).toEqual({ kind: "operator" });
  });
});

describe("a lease", () => {
  const LEASE_ID = grant().leaseId;
  let key: ProofKey;
  let other: ProofKey;
  let bound: string;
  const lease = (more: Parameters<typeof grant>[0] = {}, jkt?: string) => signLease(grant(more), settingsOf(env), jkt);
  const proofOf = (signer: ProofKey, text: string, more: object = {}) => makeProof(signer, { method: "GET", url: `${BASE}/presented`, lease: text, nonce: "n1", ...more });

  beforeAll(async () => {
    [key, other] = [await makeProofKey(), await makeProofKey()];
    bound = await lease({}, key.jkt);
  });

  test("that is bound to no key is a bearer's", async () => {
    const text = await lease();
    expect(await present(bearer(text))).toEqual({ kind: "lease", tenant: "acme", leaseId: LEASE_ID, late: false, proof: null });
    expect(await present({ authorization: `DPoP ${text}`, dpop: await proofOf(key, text) })).toBe("unauthorized");
  });

  test("that has ended says so; an offline one in its grace time is late", async () => {
    const now = Math.floor(Date.now() / 1000) * 1000;
    const ended = { issuedAt: now - 7_200_000, expiresAt: now - 3_600_000 };
    expect(await present(bearer(await lease({ ...ended, reportsUntil: ended.expiresAt })))).toBe("lease-expired");
    expect(await present(bearer(await lease({ ...ended, reportsUntil: now + 3_600_000 })))).toEqual({ kind: "lease", tenant: "acme", leaseId: LEASE_ID, late: true, proof: null });
  });

  test("of another deployment is unauthorized", async () => {
    const foreign = settingsOf({ ...workerSecrets(makeSecrets()), LEASE_ISSUER: BASE } as Env);
    expect(await present(bearer(await signLease(grant(), foreign)))).toBe("unauthorized");
    expect(await present(bearer("eyJhbGciOiJub25lIn0.e30."))).toBe("unauthorized");
  });

  test("that is bound comes with a proof of its key, for this very request", async () => {
    const presented = await present({ authorization: `DPoP ${bound}`, dpop: await proofOf(key, bound) });
    expect(presented).toMatchObject({ kind: "lease", leaseId: LEASE_ID, late: false, proof: { nonce: "n1", request: expect.stringMatching(/./) as string } });
    expect(await present({ authorization: `dpop ${bound}`, dpop: await proofOf(key, bound) })).toMatchObject({ kind: "lease" });
    expect(await present({ authorization: `DPoP ${bound}`, dpop: await proofOf(key, bound, { method: "POST" }) }, { method: "POST" })).toMatchObject({ kind: "lease" });
  });

  test.each<[string, () => Promise<Record<string, string>>]>([
    ["as a bearer's", async () => bearer(bound)],
    ["as a bearer's, with a proof beside it", async () => ({ ...bearer(bound), dpop: await proofOf(key, bound) })],
    ["without a proof", async () => ({ authorization: `DPoP ${bound}` })],
    ["with another key's proof", async () => ({ authorization: `DPoP ${bound}`, dpop: await proofOf(other, bound) })],
    ["with a proof for another method", async () => ({ authorization: `DPoP ${bound}`, dpop: await proofOf(key, bound, { method: "POST" }) })],
    ["with a proof for another address", async () => ({ authorization: `DPoP ${bound}`, dpop: await proofOf(key, bound, { url: `${BASE}/other` }) })],
    ["with a proof for another lease", async () => ({ authorization: `DPoP ${bound}`, dpop: await proofOf(key, "a.b.c") })],
    ["with a proof of an hour ago", async () => ({ authorization: `DPoP ${bound}`, dpop: await proofOf(key, bound, { nowMs: Date.now() - 3_600_000 }) })],
  ])("that is bound and comes %s is refused", async (_, headers) => {
    const { status, code, challenge } = await ask("/presented", await headers());
    expect([status, code]).toEqual([401, "invalid-dpop-proof"]);
    expect(challenge).toBe('DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"');
  });
});

describe("the tenant", () => {
  const globexKey = makeKey("secret", "globex" as TenantId);

  test("is the credential's; the path may only repeat it", async () => {
    expect((await ask("/v1/tenants/acme/keys", bearer(secretKey))).json).toEqual({ tenant: "acme", kind: "key" });
    expect(await ask("/v1/tenants/acme/keys", bearer(globexKey))).toMatchObject({ status: 404, code: "not-found" });
    expect(await ask("/v1/tenants/-acme/keys", bearer(secretKey))).toMatchObject({ status: 404, code: "not-found" });
  });

  test("is the operator's to choose, and none where the path names none", async () => {
    expect((await ask("/v1/tenants/globex/keys", bearer(secrets.operatorKey))).json).toEqual({ tenant: "globex", kind: "operator" });
    expect((await ask("/v1/tenants", bearer(secrets.operatorKey))).json).toEqual({ tenant: null });
    expect(await ask("/v1/tenants/No%20Such/keys", bearer(secrets.operatorKey))).toMatchObject({ status: 404, code: "not-found" });
  });

  test("without one in the path, the operator's ways are the operator's alone, and a tenant's are no way for the operator", async () => {
    expect(await ask("/v1/tenants", bearer(secretKey))).toMatchObject({ status: 403, code: "forbidden" });
    expect(await ask("/v1/models", bearer(secrets.operatorKey))).toMatchObject({ status: 403, code: "forbidden" });
    expect(await ask("/v1/models", {})).toMatchObject({ status: 401, code: "unauthorized" });
  });
});

test("where the path names the tenant, its object says who may: it alone knows whether the key is alive", async () => {
  expect((await ask("/v1/tenants/acme", bearer(secretKey), { method: "DELETE" })).json).toEqual({ passed: true });
});

test("the operator has no tenant of its own to enter", async () => {
  await expect(ask("/v1/metrics.prom", bearer(secrets.operatorKey))).rejects.toThrow("names no tenant");
});

describe("what the tenant object is told", () => {
  const body = { model: "ocr", tokens: 5 };
  const post = (headers: Record<string, string>) => ask("/v1/leases", { ...bearer(secretKey), "content-type": "application/json", ...headers }, { method: "POST", body: JSON.stringify(body) });

  test("is who asks, by which way, for whom and under which request id", async () => {
    const presented = { kind: "key", type: "secret", tenant: "acme", hash: sha256Hex(secretKey), origin: null, fromEmbed: false };
    // A reading is done anew each time, whatever key it comes with.
    expect((await ask("/v1/models", { ...bearer(secretKey), "idempotency-key": "a1" })).json).toEqual({
      call: { tenant: "acme", requestId: "req_1", user: null, metadata: {}, access: ["lease", "publishable", "leases", "read"], idempotent: null, presented },
      presented, tenant: "acme",
    });
    expect((await post({})).json).toMatchObject({ user: "u1", metadata: { tier: "pro" }, access: ["publishable", "leases"], idempotent: null });
  });

  test("an idempotency key stands for method, path and body, in whatever order the body's members came", async () => {
    expect((await post({ "idempotency-key": "a1" })).json.idempotent).toEqual({ by: sha256Hex(secretKey), key: "a1", bodySha256: sha256Hex(`POST /v1/leases\n${canonicalJson({ tokens: 5, model: "ocr" })}`) });
  });

  test.each([["empty", ""], ["too long", "x".repeat(256)], ["with a space", "a b"], ["with a letter of no ASCII", "\u00e9"]])("an idempotency key that is %s is an invalid request", async (_, key) => {
    expect(await post({ "idempotency-key": key })).toMatchObject({ status: 400, code: "invalid-request" });
  });

  test("an idempotency key may have 255 characters", async () => {
    expect((await post({ "idempotency-key": "~".repeat(255) })).json.idempotent).toMatchObject({ key: "~".repeat(255) });
  });
});

test("a 401 says how to be let in; that a token is invalid, only where one came (RFC 6750 §3)", async () => {
  expect((await ask("/presented")).challenge).toBe('Bearer realm="leasehold"');
  expect((await ask("/presented", bearer("lh_sk_no"))).challenge).toBe('Bearer realm="leasehold", error="invalid_token"');
});
