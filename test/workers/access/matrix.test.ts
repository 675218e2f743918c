/**
 * Every way in × every credential: the status and the code of each cell, in workerd.
 *
 * A way in without a sample below is asked with an empty body: its refusals are held to the table all the same, and
 * who is let in must not be refused at the door.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { ACCESS } from "../../../worker/http/access.ts";
import { operationIdOf } from "../../../worker/http/operation-id.ts";
import { type Ask, BASE, OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import type { Base } from "../../../schema/contract/models.ts";
import { tinyOnnx } from "../../support/onnx.ts";
import { grantedBase, publishInCatalog } from "../../support/catalog.ts";
import { DEFAULT_PRICES, type TestTenant, makeKey, newTenantId, provisionTenant, publishTinyModel, sha256Hex } from "../../support/tenant.ts";
import { type Cast, type Who, doorAnswer, inPage, makeCast, signedIn } from "../../support/who.ts";

interface Sample {
  /** What the request brings, made anew for each cell. A tenant `t` that it names is for those who are let in. */
  readonly ask?: (cast: Cast, who: Who) => Promise<Sent> | Sent;
  /** The status for who is let in. */
  readonly let: number;
  /** What another tenant's credential gets, where the path names no tenant. */
  readonly elsewhere?: number;
}

interface Sent {
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const OFFERED = tinyOnnx(64, 33);
let offer: Promise<Base> | null = null;
const offered = () => (offer ??= publishInCatalog("offered", OFFERED));
let granted: Promise<Base> | null = null;
const based = (tenant: TestTenant) => (granted ??= grantedBase(tenant));
const usage = (who: Who) => ({ seq: 0, request_id: `req_${who.kind}`, input_tokens: 0, output_tokens: 0, outcome: "ok", latency_ms: 1, backend: "wasm", cache: "hit", final: false });
let seq = 0;

const SAMPLES: Partial<Record<keyof typeof ACCESS, Sample>> = {
  "GET /healthz": { let: 200 },
  "GET /.well-known/jwks.json": { let: 200 },
  "GET /openapi.json": { let: 200 },
  "GET /docs": { let: 200 },
  "POST /v1/session": { let: 201, elsewhere: 201 },
  "GET /v1/session": { let: 200, elsewhere: 200 },
  "DELETE /v1/session": { let: 204, elsewhere: 204 },
  "POST /v1/tenants": { let: 201, ask: () => ({ body: { id: newTenantId("made"), name: "Made" } }) },
  "GET /v1/tenants": { let: 200 },
  "GET /v1/tenants/{t}": { let: 200 },
  "PATCH /v1/tenants/{t}": { let: 200, ask: () => ({ body: { name: "Renamed" } }) },
  "DELETE /v1/tenants/{t}": { let: 202, ask: async () => ({ params: { t: (await provisionTenant()).id } }) },
  "GET /v1/tenants/{t}/erasure": { let: 200, ask: async () => ({ params: { t: await erasing() } }) },
  "GET /v1/tenants/{t}/policy": { let: 200 },
  "PUT /v1/tenants/{t}/policy": { let: 200, ask: () => ({ body: {} }) },
  "GET /v1/tenants/{t}/quota": { let: 200 },
  "POST /v1/tenants/{t}/keys": { let: 201, ask: () => ({ body: { type: "secret", name: "made" } }) },
  "GET /v1/tenants/{t}/keys": { let: 200 },
  "DELETE /v1/tenants/{t}/keys/{id}": { let: 200, ask: async ({ tenant }) => ({ params: { id: (await makeKey(tenant.id, { type: "secret", name: "short-lived" })).id } }) },
  "POST /v1/tenants/{t}/keys/{id}/rotate": { let: 201, ask: async ({ tenant }) => ({ params: { id: (await makeKey(tenant.id, { type: "secret", name: "rotated" })).id }, body: {} }) },
  "GET /v1/tenants/{t}/secrets": { let: 200 },
  "PUT /v1/tenants/{t}/secrets/{name}": { let: 200, ask: async ({ tenant }) => put(tenant.id) },
  "DELETE /v1/tenants/{t}/secrets/{name}": { let: 200, ask: async ({ tenant }) => put(tenant.id) },
  "POST /v1/tenants/{t}/secrets/rewrap": { let: 200 },
  "GET /v1/tenants/{t}/user-identity": { let: 200 },
  "POST /v1/tenants/{t}/user-identity/rotate": { let: 201, ask: () => ({ body: {} }) },
  "POST /v1/tenants/{t}/webhooks": { let: 201, ask: () => ({ body: { url: HOOK, events: ["tenant.enabled"] } }) },
  "GET /v1/tenants/{t}/webhooks": { let: 200 },
  "DELETE /v1/tenants/{t}/webhooks/{id}": { let: 200, ask: async ({ tenant }) => ({ params: { id: await hook(tenant.id) } }) },
  "GET /v1/tenants/{t}/webhooks/{id}/deliveries": { let: 200, ask: async ({ tenant }) => ({ params: { id: await hook(tenant.id) } }) },
  "POST /v1/tenants/{t}/webhooks/{id}/deliveries/{delivery}/replay": { let: 404, ask: async ({ tenant }) => ({ params: { id: await hook(tenant.id), delivery: `dl_${"0".repeat(24)}` } }) },
  "GET /v1/tenants/{t}/models": { let: 200 },
  "POST /v1/tenants/{t}/models/{model}/revisions": { let: 201, ask: ({ model }) => ({ body: revisionOf(model.digest, model.bytes.byteLength) }) },
  "PUT /v1/tenants/{t}/blobs/{sha256}": { let: 200, ask: ({ model }) => ({ body: model.bytes }) },
  "POST /v1/tenants/{t}/models/{model}/revisions/{revision}/commit": { let: 200, ask: () => ({ body: {} }) },
  "GET /v1/tenants/{t}/models/{model}/revisions": { let: 200 },
  "DELETE /v1/tenants/{t}/models/{model}": { let: 200, ask: async ({ tenant }) => ({ params: { model: (await publishTinyModel(tenant, { model: "short-lived" })).id } }) },
  "DELETE /v1/tenants/{t}/models/{model}/revisions/{revision}": { let: 200, ask: async ({ tenant }) => ({ params: { revision: (await publishTinyModel(tenant, { fill: 11, stage: "draft" })).revision } }) },
  "POST /v1/tenants/{t}/models/{model}/rollout": { let: 200, ask: ({ model }) => ({ body: { revision: model.revision, stage: "live" } }) },
  "POST /v1/tenants/{t}/models/{model}/rollback": { let: 409, ask: () => ({ body: {} }) },
  "POST /v1/tenants/{t}/models/{model}/import": { let: 202, ask: () => ({ body: { source: "hf:org/model", variants: ["q4"] } }) },
  "GET /v1/tenants/{t}/imports": { let: 200 },
  "GET /v1/tenants/{t}/imports/{id}": { let: 404, ask: () => ({ params: { id: `imp_${"0".repeat(24)}` } }) },
  "DELETE /v1/tenants/{t}/imports/{id}": { let: 404, ask: () => ({ params: { id: `imp_${"0".repeat(24)}` } }) },
  "POST /v1/tenants/{t}/models/{model}/derive": { let: 201, ask: async ({ tenant, model }) => ({ body: { base: await based(tenant), files: revisionOf(model.digest, model.bytes.byteLength).variants[0]?.files, prices: DEFAULT_PRICES } }) },
  "GET /v1/tenants/{t}/catalog": { let: 200 },
  "PUT /v1/tenants/{t}/catalog/{model}": { let: 200, ask: async () => ({ params: { model: (await offered()).model }, body: {} }) },
  "DELETE /v1/tenants/{t}/catalog/{model}": { let: 200 },
  "GET /v1/operator/audit": { let: 200 },
  "GET /v1/operator/audit/verify": { let: 200 },
  "GET /v1/operator/audit/export": { let: 200 },
  "GET /v1/catalog/models": { let: 200 },
  "POST /v1/catalog/models/{model}/revisions": { let: 201, ask: ({ model }) => ({ body: revisionOf(model.digest, model.bytes.byteLength) }) },
  "PUT /v1/catalog/blobs/{sha256}": { let: 200, ask: async () => (await offered(), { params: { sha256: await sha256Hex(OFFERED) }, body: OFFERED }) },
  "POST /v1/catalog/models/{model}/revisions/{revision}/commit": { let: 200, ask: async () => ({ params: { ...(await offered()) }, body: {} }) },
  "DELETE /v1/catalog/models/{model}": { let: 200, ask: async () => ({ params: { model: (await publishInCatalog("short-lived")).model } }) },
  "DELETE /v1/catalog/models/{model}/revisions/{revision}": { let: 409, ask: async () => ({ params: { ...(await offered()) } }) },
  "GET /v1/catalog/models/{model}/grants": { let: 200 },
  "GET /v1/catalog/models/{model}/revisions": { let: 200 },
  "POST /v1/catalog/models/{model}/rollback": { let: 409, ask: async () => ({ params: { model: (await offered()).model }, body: {} }) },
  "POST /v1/catalog/models/{model}/import": { let: 202, ask: () => ({ body: { source: "hf:org/model", variants: ["q4"] } }) },
  "GET /v1/catalog/imports": { let: 200 },
  "GET /v1/catalog/imports/{id}": { let: 404, ask: () => ({ params: { id: `imp_${"0".repeat(24)}` } }) },
  "DELETE /v1/catalog/imports/{id}": { let: 404, ask: () => ({ params: { id: `imp_${"0".repeat(24)}` } }) },
  "GET /v1/catalog/secrets": { let: 200 },
  // The catalogue is one for all rows: a name of its own for each credential.
  "PUT /v1/catalog/secrets/{name}": { let: 201, ask: () => ({ params: { name: `made-${crypto.randomUUID()}` }, body: { value: "x" } }) },
  "DELETE /v1/catalog/secrets/{name}": { let: 404, ask: () => ({ params: { name: "nothing" } }) },
  "POST /v1/catalog/secrets/rewrap": { let: 200 },
  "GET /v1/tenants/{t}/audit": { let: 200 },
  "GET /v1/tenants/{t}/audit/verify": { let: 200 },
  "GET /v1/tenants/{t}/audit/export": { let: 200 },
  "PUT /v1/tenants/{t}/audit/resend": { let: 200 },
  "GET /v1/tenants/{t}/metrics": { let: 200 },
  "GET /v1/tenants/{t}/metrics.prom": { let: 200 },
  "GET /v1/metrics.prom": { let: 200 },
  "GET /readyz": { let: 200 },
  "GET /v1/tenants/{t}/prices": { let: 200 },
  "POST /v1/tenants/{t}/models/{model}/prices": { let: 201, ask: () => ({ body: { input_nanos_per_token: 1, output_nanos_per_token: 2 } }) },
  "GET /v1/tenants/{t}/usage": { let: 200 },
  "GET /v1/tenants/{t}/billing": { let: 200 },
  "POST /v1/leases": { let: 201, elsewhere: 404, ask: () => ({ body: { model: "tiny", tokens: 10 } }) },
  "GET /v1/leases/{id}": { let: 200, elsewhere: 404, ask: ({ leaseId }) => ({ params: { id: leaseId } }) },
  "POST /v1/leases/{id}/usage": { let: 200, elsewhere: 404, ask: ({ leaseId }, who) => ({ params: { id: leaseId }, body: { ...usage(who), seq: seq++ } }) },
  "GET /v1/models": { let: 200, elsewhere: 200 },
  "GET /v1/models/{model}/manifest": { let: 200, elsewhere: 404 },
  "GET /v1/blobs/{sha256}": { let: 200, elsewhere: 404, ask: ({ model }) => ({ params: { sha256: model.digest } }) },
};

/** A tenant whose erasure has begun. */
async function erasing(): Promise<string> {
  const { id } = await provisionTenant();
  expectStatus(await api.delete(`/v1/tenants/${id}`, { key: OPERATOR_KEY }), 202);
  return id;
}

const HOOK = "https://hooks.example.com/";
let lastHook: string | null = null;

/** One webhook at a time: a tenant may have 16. */
async function hook(tenant: string): Promise<string> {
  if (lastHook !== null) await api.delete(`/v1/tenants/${tenant}/webhooks/${lastHook}`, { key: OPERATOR_KEY });
  lastHook = expectStatus(await api.post(`/v1/tenants/${tenant}/webhooks`, { key: OPERATOR_KEY, body: { url: HOOK, events: ["tenant.enabled"] } }), 201).json.id as string;
  return lastHook;
}

/** A secret is there before it is put again or deleted. */
async function put(tenant: string): Promise<Sent> {
  expectStatus(await api.put(`/v1/tenants/${tenant}/secrets/openai-key`, { key: OPERATOR_KEY, body: { value: "x" } }), 200, 201);
  return { params: { name: "openai-key" }, body: { value: "y" } };
}

const revisionOf = (digest: string, size: number) => ({
  task: "raw",
  usage: { measure: "per-run", tokens: 1 },
  variants: [{ id: "all", files: [{ path: "onnx/model.onnx", size, sha256: digest, chunks: [{ sha256: digest, size }] }] }],
  prices: { input_nanos_per_token: 1, output_nanos_per_token: 2, call_nanos: 5 },
});

const time = clock();
let cast: Cast;

beforeAll(async () => {
  cast = await makeCast(time);
});

const entries = Object.entries(ACCESS) as [keyof typeof ACCESS, (typeof ACCESS)[keyof typeof ACCESS]][];

test("the API's document and the access table name the same ways in, with the same rows", async () => {
  const { json } = await api.get("/openapi.json");
  const documented = Object.entries(json.paths as Record<string, Record<string, { "x-access": unknown; security: unknown[]; operationId: string }>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
  );
  expect(documented.map(([way]) => way).sort()).toEqual(Object.keys(ACCESS).sort());
  for (const [way, operation] of documented) {
    const row = ACCESS[way as keyof typeof ACCESS];
    expect(operation["x-access"], way).toEqual(row);
    expect(operation.operationId, way).toBe(operationIdOf(...(way.split(" ") as [string, string])));
    expect(operation.security.length > 0, way).toBe(!(row as readonly string[]).includes("anyone"));
  }
});

describe.each(entries)("%s", (way, row) => {
  test("answers each credential as the table says", async () => {
    const [method, pattern] = way.split(" ") as [string, string];
    const wrong: string[] = [];
    let admitted = 0;
    for (const who of cast.all) {
      const door = doorAnswer(row, way, who);
      const sample = SAMPLES[way];
      const { params, body } = (await sample?.ask?.(cast, who)) ?? { body: method === "GET" ? undefined : {} };
      const path = pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) => (door && name === "t" ? undefined : params?.[name]) ?? defaults(name));
      const from = way === "DELETE /v1/session" && who.signsInWith !== undefined ? inPage(await signedIn(who.signsInWith)) : who.ask;
      const ask: Ask = { ...from, body: method === "GET" || method === "DELETE" ? undefined : body };
      const answer = await api.call(method, path, ask);
      const got = `${answer.status} ${answer.code ?? "-"}`;
      if (door) {
        if (got !== `${door[0]} ${door[1]}`) wrong.push(`${who.name}: expected ${door.join(" ")}, got ${got}`);
        if (answer.status === 401 && !answer.headers.has("www-authenticate")) wrong.push(`${who.name}: a 401 without WWW-Authenticate`);
        continue;
      }
      admitted += 1;
      const status = sample && (who.otherTenant ? sample.elsewhere : sample.let);
      const refused = answer.status === 401 || answer.code === "forbidden" || answer.code === "origin-not-allowed";
      if (status === undefined ? refused : answer.status !== status) wrong.push(`${who.name}: expected ${status ?? "to be let in"}, got ${got} ${answer.text.slice(0, 200)}`);
    }
    expect(wrong).toEqual([]);
    expect(admitted).toBeGreaterThan(0);
  });

  const defaults = (name: string): string =>
    ({ t: cast.tenant.id, model: "tiny", revision: cast.model.revision, sha256: cast.model.digest, id: cast.leaseId })[name] ?? "unknown";
});

test("one tenant's credentials see nothing of another's on paths that name no tenant", async () => {
  const { tenant, other, model } = cast;
  const mine = await publishTinyModel(other, { model: "mine", fill: 9 });
  const listed = expectStatus(await api.get("/v1/models", { key: other.admin }), 200).json.data.map((item: { id: string }) => item.id);
  expect(listed.sort()).toEqual(["mine", "other"]);
  expect((await api.get(`/v1/blobs/${model.digest}`, { key: other.admin })).status).toBe(404);
  expect((await api.get(`/v1/blobs/${mine.digest}`, { key: tenant.admin })).status).toBe(404);
});

test("a tenant that does not exist and one that the key is not for are told apart by nothing", async () => {
  const { tenant, other } = cast;
  const ask = { key: tenant.admin, headers: { "x-request-id": "req_same" } };
  const foreign = await api.get(`/v1/tenants/${other.id}`, ask);
  const absent = await api.get(`/v1/tenants/${newTenantId("absent")}`, ask);
  expect([foreign.status, foreign.text]).toEqual([absent.status, absent.text]);
});

test("a body is not read before the credential holds", async () => {
  const answer = await api.post("/v1/leases", { raw: "not json", headers: { "content-type": "text/plain" } });
  expect([answer.status, answer.code]).toEqual([401, "unauthorized"]);
});

test.each(["", ";", "; charset=utf-8", ";charset=UTF-8", "; charset=utf-8; x", "; x=", " ; charset=utf-8"])("a body is read as JSON whose type is application/json%s", async (parameters) => {
  const headers = { "content-type": `application/json${parameters}` };
  const raw = JSON.stringify({ model: "tiny", purpose: "download" });
  const answer = await api.post("/v1/leases", { key: cast.tenant.secret, raw, headers: { ...headers, "content-length": String(raw.length) } });
  expect([answer.status, answer.code]).toEqual([201, null]);
});

test("a path's tenant is never taken from a body or a query", async () => {
  const { tenant, other } = cast;
  const answer = await api.post(`/v1/tenants/${tenant.id}/keys?t=${other.id}&tenant=${other.id}`, { key: tenant.admin, body: { type: "secret", name: "x" } });
  expect(answer.json.key).toContain(`lh_sk_${tenant.id}_`);
  const smuggled = await api.post("/v1/leases", { key: tenant.secret, body: { model: "tiny", tokens: 1, tenant: other.id } });
  expect([smuggled.status, smuggled.code]).toEqual([400, "invalid-request"]);
});

test("the operator's key opens nothing but what the table gives it, however the path is spelled", async () => {
  for (const path of ["/v1/tenants/../leases", "/v1//leases", `/v1/tenants/%2e%2e/leases`, `/v1/tenants/${cast.tenant.id}%2Fkeys`]) {
    const answer = await api.get(new URL(path, BASE).pathname, { key: OPERATOR_KEY });
    expect(answer.status, path).toBeGreaterThanOrEqual(400);
  }
});
