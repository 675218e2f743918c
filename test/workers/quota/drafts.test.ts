/** Drafts of revisions: counted, capped, and dropped with their manifest when nothing comes of them. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, onTestFinished, test } from "vitest";
import { api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { tinyOnnx } from "../../support/onnx.ts";
import { r2 } from "../../support/r2-tap.ts";
import { type TestTenant, objectOf, provisionTenant, quotaOf, sha256Hex } from "../../support/tenant.ts";

const time = clock();
// In the future, so that no alarm fires but those that the tests run.
const START = "2040-11-20T10:00:00Z";
const HOUR = 3_600_000;

const SIZE = 30;
const blob = (fill: number) => tinyOnnx(SIZE, fill);
async function bodyOf(...fills: number[]) {
  const files = await Promise.all(fills.map(async (fill) => ({ sha256: await sha256Hex(blob(fill)), size: SIZE, path: `${fill}.onnx`, chunks: [{ sha256: await sha256Hex(blob(fill)), size: SIZE }] })));
  return { task: "raw", usage: { measure: "per-run", tokens: 1 }, variants: [{ id: "all", files }], prices: { input_nanos_per_token: 1, output_nanos_per_token: 2 } };
}
const begin = async (tenant: TestTenant, model: string, ...fills: number[]) => api.post(`/v1/tenants/${tenant.id}/models/${model}/revisions`, { key: tenant.admin, body: await bodyOf(...fills) });
const put = async (tenant: TestTenant, fill: number) => expectStatus(await api.put(`/v1/tenants/${tenant.id}/blobs/${await sha256Hex(blob(fill))}`, { key: tenant.admin, body: blob(fill) }), 200, 201);
const commit = (tenant: TestTenant, model: string, revision: string) => api.post(`/v1/tenants/${tenant.id}/models/${model}/revisions/${revision}/commit`, { key: tenant.admin });
const manifests = async (tenant: TestTenant) => (await env.BLOBS.list({ prefix: `tenants/${tenant.id}/models/` })).objects.map(({ key }) => key.split("/")[3]);
const rows = (tenant: TestTenant) =>
  runInDurableObject(objectOf(tenant.id), (_, { storage }) => ["drafts", "revisions", "chunks"].map((table) => storage.sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${table}`).one().n));

async function alarm(tenant: TestTenant): Promise<void> {
  await runDurableObjectAlarm(objectOf(tenant.id));
  const dropping = () => runInDurableObject(objectOf(tenant.id), (_, { storage }) => storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM drafts WHERE dropping > 0").one().n);
  if (r2.hanging === 0) await expect.poll(dropping, { interval: 5 }).toBe(0);
}

test("a draft that gets no blob for a day is dropped, manifest and all; one that does lives on", async () => {
  time.set(START);
  const tenant = await provisionTenant();
  const left = expectStatus(await begin(tenant, "left", 1), 201).json;
  const fed = expectStatus(await begin(tenant, "fed", 2, 3), 201).json;
  expect((await manifests(tenant)).sort()).toEqual(["fed", "left"]);
  time.advance(12 * HOUR);
  await put(tenant, 2);
  time.advance(12 * HOUR);
  await alarm(tenant);
  expect(await manifests(tenant)).toEqual(["fed"]);
  expect(await rows(tenant)).toEqual([1, 1, 2]);
  expect((await commit(tenant, "left", left.revision)).code).toBe("not-found");
  await put(tenant, 3);
  expectStatus(await commit(tenant, "fed", fed.revision), 200);
  expect(await rows(tenant)).toEqual([0, 1, 2]);
  // A revision that is live is no draft, however often it is begun; a dropped one may be begun again.
  expectStatus(await begin(tenant, "fed", 2, 3), 201);
  expectStatus(await begin(tenant, "left", 1), 201);
  time.advance(48 * HOUR);
  await alarm(tenant);
  expect([await manifests(tenant), await rows(tenant)]).toEqual([["fed"], [0, 1, 2]]);
});

test("drafts count against model_quota, as held", async () => {
  time.set(START);
  const tenant = await provisionTenant({ model_quota: 1 });
  const { revision } = expectStatus(await begin(tenant, "one", 1), 201).json;
  expect((await quotaOf(tenant)).model_quota).toMatchObject({ limit: 1, held: 1, posted: 0, remaining: 0 });
  const refused = await begin(tenant, "two", 2);
  expect([refused.status, refused.code]).toEqual([403, "model-quota-exceeded"]);
  expect(await manifests(tenant)).toEqual(["one"]);
  expectStatus(await begin(tenant, "one", 3), 201);
  await put(tenant, 1);
  expectStatus(await commit(tenant, "one", revision), 200);
  expect((await quotaOf(tenant)).model_quota).toMatchObject({ held: 0, posted: 1 });
});

test("a tenant has 32 open drafts at most, however many are begun at once", async () => {
  time.set(START);
  const tenant = await provisionTenant();
  const begun = await Promise.all(Array.from({ length: 40 }, (_, n) => begin(tenant, "m", n)));
  expect(begun.filter(({ status }) => status === 201)).toHaveLength(32);
  expect(new Set(begun.filter(({ status }) => status !== 201).map(({ code }) => code))).toEqual(new Set(["conflict"]));
  expect(await manifests(tenant)).toHaveLength(32);
});

test("while R2 does not delete its manifest, a dropped draft is tried again and can't be begun", async () => {
  time.set(START);
  onTestFinished(() => r2.heal());
  const tenant = await provisionTenant();
  expectStatus(await begin(tenant, "m", 1), 201);
  time.advance(25 * HOUR);
  r2.fail(() => "refuse");
  await runDurableObjectAlarm(objectOf(tenant.id));
  r2.heal();
  expect(await manifests(tenant)).toEqual(["m"]);
  expect((await begin(tenant, "m", 1)).code).toBe("conflict");
  time.advance(60_000);
  await alarm(tenant);
  expect([await manifests(tenant), await rows(tenant)]).toEqual([[], [0, 0, 0]]);
  expect((await begin(tenant, "m", 1)).status).toBe(201);
});
