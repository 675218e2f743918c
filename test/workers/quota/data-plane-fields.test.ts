/**
 * `RateLimit` and `RateLimit-Policy` on every answer that the tenant object gives on the data plane, whatever it is: every way in of the access table
 * that a browser may come, answered and refused. A request of a wrong form never gets there: it shows what was said last. Only who brings no credential that holds is told nothing of the limits.
 */
import { beforeAll, expect, test } from "vitest";
import { ACCESS } from "../../../worker/http/access.ts";
import { type Answer, api } from "../../support/api.ts";
import { ORIGIN, type TestTenant, type TinyModel, getLease, provisionTenant, publishTinyModel, readyTenant } from "../../support/tenant.ts";

const LIMITS = { daily_token_limit: 100_000, egress_bytes_daily: 100_000, requests_per_minute: 1_000 };
const usage = { seq: 0, request_id: "r", input_tokens: 1, output_tokens: 1, outcome: "ok", latency_ms: 1, backend: "wasm", cache: "hit", final: false };

let tenant: TestTenant;
let model: TinyModel;
let lease: { lease: string; lease_id: string };

beforeAll(async () => {
  tenant = await provisionTenant({ policy: LIMITS });
  model = await publishTinyModel(tenant);
  lease = await getLease(tenant);
});

type Row = readonly string[];
const open = (row: Row) => row.includes("lease") || row.includes("publishable");
type DataWay = { [Way in keyof typeof ACCESS]: "lease" extends (typeof ACCESS)[Way][number] ? Way : "publishable" extends (typeof ACCESS)[Way][number] ? Way : never }[keyof typeof ACCESS];
const ways = (Object.entries(ACCESS) as [keyof typeof ACCESS, Row][]).filter(([, row]) => open(row)).map(([way]) => way as DataWay);

const NOWHERE = `ls_none_${"0".repeat(24)}`;

/** Each way answered (first) and refused, by status. A new way in needs its row. */
const ASKS: Record<DataWay, () => readonly (readonly [number, () => Promise<Answer>])[]> = {
  "POST /v1/leases": () => [
    [201, () => api.post("/v1/leases", { key: tenant.publishable, origin: ORIGIN, body: { model: "tiny", tokens: 1, user: "u" } })],
    [404, () => api.post("/v1/leases", { key: tenant.secret, body: { model: "absent", tokens: 1 } })],
    [429, () => api.post("/v1/leases", { key: tenant.secret, body: { model: "tiny", tokens: 1_000_000 } })],
  ],
  "GET /v1/leases/{id}": () => [
    [200, () => api.get(`/v1/leases/${lease.lease_id}`, { key: lease.lease })],
    [404, () => api.get(`/v1/leases/${NOWHERE}`, { key: tenant.secret })],
  ],
  "POST /v1/leases/{id}/usage": () => [
    [200, () => api.post(`/v1/leases/${lease.lease_id}/usage`, { key: lease.lease, body: usage })],
    [409, () => api.post(`/v1/leases/${lease.lease_id}/usage`, { key: lease.lease, body: { ...usage, input_tokens: 2 } })],
  ],
  "GET /v1/models": () => [
    [200, () => api.get("/v1/models", { key: tenant.publishable, origin: ORIGIN })],
    [200, () => api.get("/v1/models", { key: lease.lease })],
  ],
  "GET /v1/models/{model}/manifest": () => [
    [200, () => api.get("/v1/models/tiny/manifest", { key: lease.lease })],
    [404, () => api.get("/v1/models/absent/manifest", { key: tenant.secret })],
  ],
  "GET /v1/blobs/{sha256}": () => [
    [200, () => api.get(`/v1/blobs/${model.digest}`, { key: lease.lease })],
    [206, () => api.get(`/v1/blobs/${model.digest}`, { key: lease.lease, headers: { range: "bytes=0-1" } })],
    [304, () => api.get(`/v1/blobs/${model.digest}`, { key: lease.lease, headers: { "if-none-match": `"${model.digest}"` } })],
    [416, () => api.get(`/v1/blobs/${model.digest}`, { key: lease.lease, headers: { range: "bytes=9999-" } })],
    [404, () => api.get(`/v1/blobs/${"0".repeat(64)}`, { key: lease.lease })],
  ],
};

test.each(ways)("%s", async (way) => {
  for (const [status, ask] of ASKS[way]()) {
    const answer = await ask();
    expect(answer.status, answer.text).toBe(status);
    expect([answer.headers.has("ratelimit"), answer.headers.has("ratelimit-policy")], `${way} ${status}`).toEqual([true, true]);
  }
});

const wrongForms: [status: number, ask: (key: string) => Promise<Answer>][] = [
  [400, (key) => api.post("/v1/leases", { key, body: { model: "tiny" } })],
  [400, (key) => api.get("/v1/models?limit=0", { key })],
  [400, (key) => api.post("/v1/leases", { key, body: { model: "tiny", tokens: 1 }, idempotencyKey: "not visible" })],
  [413, (key) => api.post("/v1/leases", { key, body: { model: "x".repeat(5 * 1024 ** 2) } })],
  [415, (key) => api.post("/v1/leases", { key, body: new TextEncoder().encode("tokens=1"), headers: { "content-type": "text/plain" } })],
];

test.each(wrongForms)("what is refused for its form alone (%i, %#) shows what the object said last, of no user, and only to whom it said it", async (status, ask) => {
  const own = await readyTenant({ ...LIMITS, per_user_daily_tokens: 500 });
  const unheard = await ask(own.secret);
  expect([unheard.status, unheard.headers.get("ratelimit")]).toEqual([status, null]);
  const answered = await api.post("/v1/leases", { key: own.secret, body: { model: "tiny", tokens: 1, user: "u" } });
  const refused = await ask(own.secret);
  expect(refused.status).toBe(status);
  expect(answered.headers.get("ratelimit")).toContain('"user-quota";r=499');
  for (const item of ['"daily-quota";r=99999', '"requests-per-minute";r=999']) expect(refused.headers.get("ratelimit")).toContain(item);
  expect(refused.headers.get("ratelimit-policy")).toContain('"daily-quota";q=100000');
  expect(refused.headers.get("ratelimit")).not.toContain("user-quota");
  expect((await ask(own.reader)).headers.has("ratelimit")).toBe(false);
});

test("a key that does not hold, or comes from another page, learns nothing of the limits", async () => {
  const other = await readyTenant(LIMITS);
  for (const ask of [{ key: tenant.publishable, origin: "https://evil.example" }, { key: `${tenant.secret.slice(0, -1)}x` }]) {
    const answer = await api.post("/v1/leases", { ...ask, body: { model: "tiny", tokens: 1 } });
    expect(answer.status).toBeGreaterThanOrEqual(401);
    expect(answer.headers.has("ratelimit")).toBe(false);
  }
  await api.post("/v1/leases", { key: tenant.publishable, origin: ORIGIN, body: { model: "tiny", tokens: 1 } });
  const wrong = (origin: string) => api.post("/v1/leases", { key: tenant.publishable, origin, body: {} });
  expect([(await wrong(ORIGIN)).headers.has("ratelimit"), (await wrong("https://evil.example")).headers.has("ratelimit")]).toEqual([true, false]);
  expect((await api.get(`/v1/leases/${lease.lease_id}`, { key: other.secret })).text).not.toContain(tenant.id);
});
