/** Manifests: limited in number, counted in `storage_bytes` for as long as they are there, and none that nobody knows of stays. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, onTestFinished, test } from "vitest";
import { MAX_REVISIONS, MAX_REVISIONS_OF_MODEL } from "../../../worker/ledger/shelf-limits.ts";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { r2 } from "../../support/r2-tap.ts";
import { type TestTenant, manifestBytes, objectOf, provisionTenant, publishTinyModel, quotaOf } from "../../support/tenant.ts";

const time = clock();
// In the future, so that no alarm fires but those that the tests run.
const START = "2040-11-20T10:00:00Z";
const HOUR = 3_600_000;

const fileOf = (digest: string) => ({ path: "m.onnx", size: 4, sha256: digest, chunks: [{ sha256: digest, size: 4 }] });
const begin = (tenant: TestTenant, n: number, model = "m") =>
  api.post(`/v1/tenants/${tenant.id}/models/${model}/revisions`, {
    key: tenant.admin,
    body: { task: "raw", usage: { measure: "per-run", tokens: 1 }, prices: { input_nanos_per_token: 0, output_nanos_per_token: 0 }, variants: [{ id: "all", files: [fileOf(n.toString(16).padStart(64, "0"))] }] },
  });
const remove = async (tenant: TestTenant, path: string) => expectStatus(await api.delete(`/v1/tenants/${tenant.id}/models/${path}`, { key: tenant.admin }), 200);
const storage = async (tenant: TestTenant) => (await quotaOf(tenant)).storage_bytes;
const manifests = async (tenant: TestTenant) => (await env.BLOBS.list({ prefix: `tenants/${tenant.id}/models/` })).objects.map(({ key }) => key.split("/").slice(3, 5).join("/"));
const sql = <T extends Record<string, SqlStorageValue>>(tenant: TestTenant, ...statement: [string, ...SqlStorageValue[]]) => runInDurableObject(objectOf(tenant.id), (_, { storage: { sql: db } }) => db.exec<T>(...statement).toArray());

test("of many that are begun at once those begin whose manifests fit, and a deletion gives their bytes back", async () => {
  const probe = await provisionTenant();
  expectStatus(await begin(probe, 1), 201);
  const size = await manifestBytes(probe) - probe.id.length;
  const tenant = await provisionTenant({ policy: { storage_bytes: 3_000 } });
  const each = size + tenant.id.length;
  const begun = await Promise.all(Array.from({ length: 20 }, (_, n) => begin(tenant, n)));
  const fit = Math.floor(3_000 / each);
  expect([begun.filter(({ status }) => status === 201).length, new Set(begun.flatMap(({ status, code }) => (status === 201 ? [] : [`${status} ${code}`])))]).toEqual([fit, new Set(["403 storage-quota-exceeded"])]);
  expect(await storage(tenant)).toMatchObject({ held: 0, posted: fit * each, remaining: 3_000 - fit * each });
  expect(await manifestBytes(tenant)).toBe(fit * each);
  // What is there already needs no further place.
  const [there] = begun.flatMap(({ status }, n) => (status === 201 ? [n] : []));
  expect((await begin(tenant, there as number)).status).toBe(201);
  await remove(tenant, "m");
  expect(await storage(tenant)).toMatchObject({ held: 0, posted: 0, remaining: 3_000 });
  expectStatus(await begin(tenant, 1), 201);
});

test("a manifest that is on its way is held; one whose deletion R2 does not confirm counts until it does", async () => {
  time.set(START);
  onTestFinished(() => r2.heal());
  const tenant = await provisionTenant();
  const call = { presented: { kind: "operator" }, access: ["operator"], requestId: "req_test" } as const;
  await objectOf(tenant.id).ask("models", "admitRevision", [call, { model: "m", revision: `rev_${"1".repeat(24)}`, manifestBytes: 500 }]);
  expect(await storage(tenant)).toMatchObject({ held: 500, posted: 0 });
  r2.fail(() => "refuse");
  await remove(tenant, "m");
  expect(await storage(tenant)).toMatchObject({ held: 0, posted: 500 });
  r2.heal();
  time.advance(60_000);
  await runDurableObjectAlarm(objectOf(tenant.id));
  await expect.poll(() => storage(tenant), { timeout: 10_000 }).toMatchObject({ held: 0, posted: 0 });
});

test.each([
  ["a model", MAX_REVISIONS_OF_MODEL, "'m'"],
  ["a tenant", MAX_REVISIONS, "'m' || (value % 50)"],
])("%s has so many revisions at most", async (_, most, model) => {
  const tenant = await provisionTenant();
  const [begun] = [expectStatus(await begin(tenant, 1), 201).json.revision];
  const others = `WITH RECURSIVE n(value) AS (SELECT 2 UNION ALL SELECT value + 1 FROM n WHERE value < ?) INSERT INTO revisions (model, revision, manifest_sha256, facts, created_at) SELECT ${model}, 'rev_' || value, '', '{"sizeBytes":1}', 0 FROM n`;
  await sql(tenant, others, most);
  const refused = await begin(tenant, 2);
  expect([refused.status, refused.code, refused.json.limit, refused.json.remaining]).toEqual([403, "too-many-revisions", most, 0]);
  expect((await begin(tenant, 1)).status).toBe(201);
  await remove(tenant, `m/revisions/${begun}`);
  expectStatus(await begin(tenant, 2), 201);
});

test("a manifest that was stored after its draft was gone, and of which nobody was told, is found and deleted", async () => {
  time.set(START);
  const tenant = await provisionTenant();
  const kept = await publishTinyModel(tenant, { by: OPERATOR_KEY });
  const { revision } = expectStatus(await begin(tenant, 1), 201).json;
  await remove(tenant, "m");
  expect(await manifests(tenant)).toEqual([`tiny/${kept.revision}`]);
  // The Worker that began it stores it now, and dies.
  await env.BLOBS.put(`tenants/${tenant.id}/models/m/${revision}/manifest.json`, "{}");
  const before = await storage(tenant);
  for (let day = 0; day < 2; day++) {
    time.advance(25 * HOUR);
    await runDurableObjectAlarm(objectOf(tenant.id));
    await expect.poll(() => manifests(tenant), { timeout: 10_000 }).toEqual([`tiny/${kept.revision}`]);
    await expect.poll(() => storage(tenant), { timeout: 10_000 }).toEqual(before);
  }
  // Its own deletion is one after which another could have come; after that one nothing is left to look for.
  await expect.poll(() => sql(tenant, "SELECT manifests_due_at AS at FROM collection"), { timeout: 10_000 }).toEqual([{ at: null }]);
  expectStatus(await begin(tenant, 1), 201);
});

test("manifests that were stored before they were counted are counted when they are listed", async () => {
  time.set(START);
  const tenant = await provisionTenant();
  await publishTinyModel(tenant);
  expectStatus(await begin(tenant, 1), 201);
  const { posted } = await storage(tenant);
  for (const table of ["revisions", "drafts"]) await sql(tenant, `UPDATE ${table} SET manifest_bytes = 0`);
  await sql(tenant, "UPDATE collection SET manifests_due_at = 0");
  await runDurableObjectAlarm(objectOf(tenant.id));
  await expect.poll(async () => (await storage(tenant)).posted, { timeout: 10_000 }).toBe(posted);
});
