/** GET and HEAD /v1/blobs/{sha256} over HTTP: statuses, fields, bytes; and passes, which spare the object most chunks. */
import { beforeAll, describe, expect, test, vi } from "vitest";
import { type ProofOf, makeProof, makeProofKey } from "../../../schema/contract/dpop-proof.ts";
import { TenantObject } from "../../../worker/ledger/tenant-object.ts";
import { type Answer, BASE, OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type TestTenant, type TinyModel, askLease, getLease, makeKey, objectOf, provisionTenant, publishTinyModel, quotaOf, sha256Hex } from "../../support/tenant.ts";

const time = clock();
const MIB = 1024 ** 2;

describe("an answer", () => {
  let tenant: TestTenant;
  let model: TinyModel;
  beforeAll(async () => {
    tenant = await provisionTenant();
    model = await publishTinyModel(tenant, { size: 100 });
  });
  const ask = (headers: Record<string, string> = {}, method = "GET") => api.call(method, `/v1/blobs/${model.digest}`, { key: tenant.secret, headers });

  test.each<[string, Record<string, string>, number, string | null, number]>([
    ["without conditions", {}, 200, null, 100],
    ["to a range", { range: "bytes=10-19" }, 206, "bytes 10-19/100", 10],
    ["to a suffix", { range: "bytes=-7" }, 206, "bytes 93-99/100", 7],
    ["to ranges that touch", { range: "bytes=0-4,5-9" }, 206, "bytes 0-9/100", 10],
    ["to ranges apart", { range: "bytes=0-0,9-9" }, 200, null, 100],
    ["to If-Range with a date", { range: "bytes=0-0", "if-range": "Wed, 21 Oct 2026 07:28:00 GMT" }, 200, null, 100],
  ])("%s", async (_, headers, status, range, length) => {
    const answer = await ask(headers);
    expect([answer.status, answer.headers.get("content-range"), answer.text.length]).toEqual([status, range, length]);
    expect(answer.headers.get("content-length")).toBe(String(length));
    expect(fields(answer)).toEqual({ etag: `"${model.digest}"`, cache: "private, max-age=31536000, immutable", vary: "Authorization", ranges: "bytes", type: "application/octet-stream", cors: "*" });
  });

  test("to HEAD is that to GET without its range and body", async () => {
    const answer = await ask({ range: "bytes=10-19" }, "HEAD");
    expect([answer.status, answer.headers.get("content-length"), answer.headers.get("content-range"), answer.text]).toEqual([200, "100", null, ""]);
  });

  test("304 carries the ETag and no body", async () => {
    const answer = await ask({ "if-none-match": `W/"${model.digest}"` });
    expect([answer.status, answer.text, answer.headers.get("etag"), answer.headers.get("cache-control")]).toEqual([304, "", `"${model.digest}"`, "private, max-age=31536000, immutable"]);
  });

  test("416 tells the size", async () => {
    const answer = await ask({ range: "bytes=100-" });
    expect([answer.status, answer.code, answer.headers.get("content-range")]).toEqual([416, "range-not-satisfiable", "bytes */100"]);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test("412 where If-Match names another", async () => {
    const answer = await ask({ "if-match": `W/"${model.digest}"` });
    expect([answer.status, answer.code]).toEqual([412, "precondition-failed"]);
  });

  test("a page of any origin may ask with these headers, and read what it needs", async () => {
    const preflight = await api.call("OPTIONS", `/v1/blobs/${model.digest}`, { headers: { origin: "https://shop.example", "access-control-request-method": "GET", "access-control-request-headers": "authorization,range,if-range,if-match,if-none-match" } });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
    const allowed = preflight.headers.get("access-control-allow-headers")?.toLowerCase() ?? "";
    for (const name of ["authorization", "range", "if-range", "if-match", "if-none-match"]) expect(allowed).toContain(name);
    const exposed = (await ask()).headers.get("access-control-expose-headers")?.toLowerCase() ?? "";
    for (const name of ["etag", "content-range", "accept-ranges", "ratelimit"]) expect(exposed).toContain(name);
  });
});

function fields(answer: Answer) {
  const of = (name: string) => answer.headers.get(name);
  return { etag: of("etag"), cache: of("cache-control"), vary: of("vary"), ranges: of("accept-ranges"), type: of("content-type"), cors: of("access-control-allow-origin") };
}

describe("a manifest", () => {
  test("is conditional as a chunk is, and never in parts", async () => {
    const tenant = await provisionTenant();
    await publishTinyModel(tenant);
    const ask = (headers: Record<string, string> = {}, method = "GET") => api.call(method, "/v1/models/tiny/manifest", { key: tenant.secret, headers });
    const whole = await ask();
    const etag = whole.headers.get("etag") as string;
    const status = async (headers: Record<string, string>, method?: string) => {
      const answer = await ask(headers, method);
      return [answer.status, answer.code, answer.text.length, answer.headers.get("etag")];
    };
    expect(await status({ "if-match": etag })).toEqual([200, null, whole.text.length, etag]);
    expect(await status({ "if-none-match": `"x", W/${etag}` })).toEqual([304, null, 0, etag]);
    expect(await status({ "if-match": `W/${etag}` })).toEqual([412, "precondition-failed", expect.any(Number), etag]);
    expect(await status({ "if-match": '"other"', "if-none-match": etag })).toEqual([412, "precondition-failed", expect.any(Number), etag]);
    expect(await status({ "if-match": '"other"' }, "HEAD")).toEqual([412, null, 0, etag]);
    for (const range of ["bytes=0-9", "bytes=99999999-"]) expect(await status({ range })).toEqual([200, null, whole.text.length, etag]);
  });
});

describe("a pass", () => {
  /** A model of 12 MiB, of three chunks if not said otherwise: large enough for a pass. */
  async function largeModel(policy: object = {}, count = 3): Promise<{ tenant: TestTenant; digests: string[] }> {
    const tenant = await provisionTenant({ policy });
    const blobs = Array.from({ length: count }, (_, fill) => new Uint8Array((12 * MIB) / count).fill(fill + 1));
    const chunks = await Promise.all(blobs.map(async (bytes) => ({ sha256: await sha256Hex(bytes), size: bytes.length })));
    const file = { path: "weights.bin", size: 12 * MIB, chunks };
    const body = { task: "raw", usage: { measure: "per-run", tokens: 1 }, variants: [{ id: "all", files: [file] }], prices: { input_nanos_per_token: 0, output_nanos_per_token: 0 } };
    const at = `/v1/tenants/${tenant.id}`;
    const { revision } = expectStatus(await api.post(`${at}/models/tiny/revisions`, { key: OPERATOR_KEY, body }), 201).json;
    for (const [index, { sha256 }] of chunks.entries()) expectStatus(await api.put(`${at}/blobs/${sha256}`, { key: OPERATOR_KEY, body: blobs[index] }), 201);
    expectStatus(await api.post(`${at}/models/tiny/revisions/${revision}/commit`, { key: OPERATOR_KEY, body: {} }), 200);
    return { tenant, digests: chunks.map(({ sha256 }) => sha256) };
  }
  const egress = async (tenant: TestTenant) => {
    const { held, posted } = (await quotaOf(tenant)).egress_bytes_daily;
    return { held, posted };
  };

  test("serves a lease's further chunks, and counts to the byte once it is over", async () => {
    const { tenant, digests } = await largeModel();
    const lease = await getLease(tenant, { purpose: "download" });
    const read = (digest: string | undefined, headers = {}) => api.get(`/v1/blobs/${digest}`, { key: lease.lease, headers });
    expect((await read(digests[0])).status).toBe(200);
    expect(await egress(tenant)).toEqual({ held: 12 * MIB, posted: 4 * MIB });
    const [second, part, unknown] = await Promise.all([read(digests[1]), read(digests[2], { range: "bytes=0-99" }), read("f".repeat(64))]);
    expect([second.status, part.status, part.text.length, unknown.code]).toEqual([200, 206, 100, "not-found"]);
    await vi.waitFor(async () => expect(await egress(tenant)).toEqual({ held: 0, posted: 8 * MIB + 100 }), { timeout: 10_000, interval: 250 });
  });

  test("serves a lease that is bound to a key, whose every proof is taken once; what is wrong with one is said in the same words", async () => {
    const { tenant, digests } = await largeModel({}, 48);
    const key = await makeProofKey();
    const by = await makeKey(tenant.id, { type: "secret", name: "for a while", scopes: ["leases"] });
    const granted = expectStatus(await askLease(tenant, { purpose: "download", dpop_jkt: key.jkt }, { key: by.key }), 201);
    const lease: string = granted.json.lease;
    const nonce = granted.headers.get("dpop-nonce") as string;
    const prove = (path: string, more: Partial<ProofOf> = {}) => makeProof(key, { method: "GET", url: BASE + path, lease, nonce, ...more });
    const read = async (path: string, proof: Promise<string>) => api.get(path, { headers: { authorization: `DPoP ${lease}`, dpop: await proof } });
    const at = (index: number) => `/v1/blobs/${digests[index]}`;
    const asks = vi.spyOn(TenantObject.prototype, "ask");
    expect((await read(at(0), prove(at(0)))).status).toBe(200);
    const used = await prove(at(1));
    expect((await read(at(1), Promise.resolve(used))).status).toBe(200);
    const rest = await Promise.all(digests.slice(2).map((_, index) => read(at(index + 2), prove(at(index + 2)))));
    expect(new Set(rest.map(({ status }) => status))).toEqual(new Set([200]));
    expect(asks.mock.calls.length).toBeLessThan(digests.length / 4);
    const wrong = {
      replayed: Promise.resolve(used), "of another chunk": prove(at(2)), "of another method": prove(at(1), { method: "HEAD" }), "of another lease": prove(at(1), { lease: `${lease}x` }),
      old: prove(at(1), { nowMs: Date.now() - 301_000 }), "of another key": makeProof(await makeProofKey(), { method: "GET", url: BASE + at(1), lease, nonce }),
    };
    for (const [name, proof] of Object.entries(wrong)) expect((await read(at(1), proof)).code, name).toBe("invalid-dpop-proof");
    for (const other of [null, "made-up"]) expect((await read(at(1), prove(at(1), { nonce: other }))).code).toBe("dpop-nonce-required");
    await vi.waitFor(async () => expect(await egress(tenant)).toEqual({ held: 0, posted: 12 * MIB }), { timeout: 10_000, interval: 250 });
    // The pass is over, and the object knows what was taken under it.
    expect((await read(at(1), Promise.resolve(used))).code).toBe("invalid-dpop-proof");
    expectStatus(await api.put(`/v1/tenants/${tenant.id}/policy`, { key: OPERATOR_KEY, body: { egress_bytes_daily: 12 * MIB } }), 200);
    expect((await read(at(1), prove(at(1)))).code).toBe("egress-quota-exceeded");
    expectStatus(await api.delete(`/v1/tenants/${tenant.id}/keys/${by.id}`, { key: OPERATOR_KEY }), 200, 204);
    expect((await read(at(1), prove(at(1)))).code).toBe("lease-revoked");
  });

  test("that nobody settles counts whole", async () => {
    const { tenant, digests } = await largeModel();
    time.set("2026-11-20T10:00:00Z");
    const lease = await getLease(tenant, { purpose: "download" });
    await api.get(`/v1/blobs/${digests[0]}`, { key: lease.lease });
    await objectOf(tenant.id).ask("models", "settlePass", [{ id: "pass_of_nobody", lease: lease.lease_id, used: 5, proofs: [] }]);
    expect(await egress(tenant)).toEqual({ held: 12 * MIB, posted: 4 * MIB });
    time.advance(66_000);
    // By another lease: the isolate that has this one's pass would tell of it.
    const another = await getLease(tenant, { purpose: "download" });
    await api.get(`/v1/blobs/${digests[0]}`, { key: another.lease });
    expect(await egress(tenant)).toEqual({ held: 12 * MIB, posted: 20 * MIB });
  });

  test("is not drawn near the limit: every chunk is decided by itself", async () => {
    const { tenant, digests } = await largeModel({ egress_bytes_daily: 8 * MIB + 1 });
    const lease = await getLease(tenant, { purpose: "download" });
    const answers = await Promise.all(digests.map((digest) => api.get(`/v1/blobs/${digest}`, { key: lease.lease })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 200, 429]);
    expect(await egress(tenant)).toEqual({ held: 0, posted: 8 * MIB });
  });
});
