/** Leases bound to a key (DPoP): a lease that is seen is not a lease that can be used; one without a key works as before. */
import { evictDurableObject } from "cloudflare:test";
import { decodeJwt } from "jose";
import { describe, expect, test } from "vitest";
import { type ProofKey, makeProof, makeProofKey } from "../../../schema/contract/dpop-proof.ts";
import { type Answer, BASE, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type TestTenant, type TinyModel, askLease, getLease, objectOf, provisionTenant, publishTinyModel, quotaOf } from "../../support/tenant.ts";

const time = clock();

interface Bound {
  readonly tenant: TestTenant;
  readonly model: TinyModel;
  readonly key: ProofKey;
  readonly leaseId: string;
  readonly lease: string;
  readonly nonce: string;
}

async function bound(): Promise<Bound> {
  const tenant = await provisionTenant({ policy: { daily_token_limit: 1_000 } });
  const model = await publishTinyModel(tenant);
  const key = await makeProofKey();
  const answer = expectStatus(await askLease(tenant, { dpop_jkt: key.jkt }), 201);
  return { tenant, model, key, leaseId: answer.json.lease_id, lease: answer.json.lease, nonce: answer.headers.get("dpop-nonce") as string };
}

const dpop = (lease: string, proof: string) => ({ authorization: `DPoP ${lease}`, dpop: proof });
const usage = (seq: number, final = false) => ({ seq, request_id: "r", input_tokens: 5, output_tokens: 0, outcome: "ok", latency_ms: 1, backend: "wasm", cache: "hit", final });

async function send(at: Bound, method: string, path: string, more: { nonce?: string | null; body?: object; key?: ProofKey; url?: string; proof?: string } = {}): Promise<Answer> {
  const nonce = more.nonce === undefined ? at.nonce : more.nonce;
  const proof = more.proof ?? (await makeProof(more.key ?? at.key, { method, url: more.url ?? BASE + path, lease: at.lease, nonce }));
  return api.call(method, path, { headers: dpop(at.lease, proof), body: more.body });
}

test("the lease says which key it is bound to, and the answer brings the first nonce", async () => {
  const at = await bound();
  expect(decodeJwt(at.lease)).toMatchObject({ cnf: { jkt: at.key.jkt } });
  expect(at.nonce).toMatch(/^[0-9a-f]{32}$/);
});

test("with a proof of its key, a new one each time, it does all that a lease does", async () => {
  const at = await bound();
  expect((await send(at, "GET", "/v1/models")).status).toBe(200);
  expect((await send(at, "GET", "/v1/models/tiny/manifest")).status).toBe(200);
  expect((await send(at, "GET", `/v1/blobs/${at.model.digest}`)).status).toBe(200);
  expect((await send(at, "HEAD", `/v1/blobs/${at.model.digest}`)).status).toBe(200);
  expect((await send(at, "GET", `/v1/leases/${at.leaseId}`)).json.state).toBe("active");
  expect((await send(at, "POST", `/v1/leases/${at.leaseId}/usage`, { body: usage(0, true) })).json).toMatchObject({ state: "settled", used: 5 });
});

describe("a lease that was seen", () => {
  const paths = (at: Bound): [string, string, object?][] => [
    ["GET", "/v1/models"],
    ["GET", "/v1/models/tiny/manifest"],
    ["GET", `/v1/blobs/${at.model.digest}`],
    ["GET", `/v1/leases/${at.leaseId}`],
    ["POST", `/v1/leases/${at.leaseId}/usage`, usage(0)],
  ];

  test("is refused everywhere as Bearer, without a proof, and with a proof of another key", async () => {
    const at = await bound();
    const thief = await makeProofKey();
    for (const [method, path, body] of paths(at)) {
      const answers = [
        await api.call(method, path, { key: at.lease, body }),
        await api.call(method, path, { headers: { authorization: `DPoP ${at.lease}` }, body }),
        await api.call(method, path, { headers: { authorization: `Bearer ${at.lease}`, dpop: await makeProof(at.key, { method, url: BASE + path, lease: at.lease, nonce: at.nonce }) }, body }),
        await send(at, method, path, { key: thief, body }),
      ];
      for (const answer of answers) {
        expect([answer.status, answer.code], `${method} ${path}`).toEqual([401, "invalid-dpop-proof"]);
        expect(answer.headers.get("www-authenticate")).toBe('DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"');
      }
    }
    expect((await quotaOf(at.tenant)).daily_token_limit).toMatchObject({ posted: 0, held: 100 });
  });

  test("with a proof that was seen too: it is for one request, and was used", async () => {
    const at = await bound();
    const path = `/v1/leases/${at.leaseId}/usage`;
    const proof = await makeProof(at.key, { method: "POST", url: BASE + path, lease: at.lease, nonce: at.nonce });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, seq) => send(at, "POST", path, { proof, body: usage(seq) })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ code }) => code === "invalid-dpop-proof")).toHaveLength(19);
    expect((await quotaOf(at.tenant)).daily_token_limit).toMatchObject({ posted: 5 });
    // Neither does it open another path, method or blob.
    expect((await send(at, "GET", "/v1/models", { url: `${BASE}/v1/models/tiny/manifest` })).code).toBe("invalid-dpop-proof");
  });

  test("with its proof, after the object was evicted and remembers nothing: refused for its nonce", async () => {
    const at = await bound();
    const proof = await makeProof(at.key, { method: "GET", url: `${BASE}/v1/models`, lease: at.lease, nonce: at.nonce });
    expect((await send(at, "GET", "/v1/models", { proof })).status).toBe(200);
    await evictDurableObject(objectOf(at.tenant.id));
    const replayed = await send(at, "GET", "/v1/models", { proof });
    expect([replayed.status, replayed.code]).toEqual([401, "dpop-nonce-required"]);
    expect(replayed.headers.get("www-authenticate")).toContain('error="use_dpop_nonce"');
    // The holder goes on with the nonce that the answer brought.
    const nonce = replayed.headers.get("dpop-nonce") as string;
    expect(nonce).not.toBe(at.nonce);
    expect((await send(at, "GET", "/v1/models", { nonce })).status).toBe(200);
  });
});

test("a proof without a nonce, or with an old one, is told the one to use", async () => {
  const at = await bound();
  for (const nonce of [null, "made-up"]) {
    const answer = await send(at, "GET", "/v1/models", { nonce });
    expect([answer.code, answer.headers.get("dpop-nonce")]).toEqual(["dpop-nonce-required", at.nonce]);
  }
});

test("a clock that is 5 minutes off will do; one that is 6 minutes off will not", async () => {
  const at = await bound();
  const now = Date.now();
  const made = (offMs: number) => makeProof(at.key, { method: "GET", url: `${BASE}/v1/models`, lease: at.lease, nonce: at.nonce, nowMs: now + offMs });
  time.set(now);
  for (const off of [-299_000, 299_000]) expect((await send(at, "GET", "/v1/models", { proof: await made(off) })).status).toBe(200);
  for (const off of [-360_000, 360_000]) expect((await send(at, "GET", "/v1/models", { proof: await made(off) })).code).toBe("invalid-dpop-proof");
});

test("a lease without a key works as before, and not under the other scheme", async () => {
  const { tenant } = await bound();
  const lease = await getLease(tenant);
  expect(decodeJwt(lease.lease)).not.toHaveProperty("cnf");
  expect((await api.get("/v1/models", { key: lease.lease })).status).toBe(200);
  expect((await api.get("/v1/models", { headers: { authorization: `DPoP ${lease.lease}` } })).code).toBe("unauthorized");
  expect((await api.get("/v1/models", { headers: { authorization: `DPoP ${tenant.secret}` } })).code).toBe("unauthorized");
});

test("the tenant's back end may read and report a bound lease with its own key", async () => {
  const at = await bound();
  expect((await api.post(`/v1/leases/${at.leaseId}/usage`, { key: at.tenant.secret, body: usage(0, true) })).json).toMatchObject({ state: "settled", used: 5 });
});

test("a thumbprint that is none is refused; a page may send the proof across origins and read the nonce", async () => {
  const { tenant } = await bound();
  for (const dpop_jkt of ["", "x", "A".repeat(42), "A".repeat(44), `${"A".repeat(42)}B`, 5]) expect((await askLease(tenant, { dpop_jkt })).code, String(dpop_jkt)).toBe("invalid-request");
  const preflight = await api.call("OPTIONS", "/v1/models", { headers: { origin: "https://shop.example", "access-control-request-method": "GET", "access-control-request-headers": "authorization, dpop" } });
  expect(preflight.headers.get("access-control-allow-headers")).toMatch(/\bDPoP\b/);
  expect((await api.get("/v1/models")).headers.get("access-control-expose-headers")).toMatch(/\bDPoP-Nonce\b/);
});
