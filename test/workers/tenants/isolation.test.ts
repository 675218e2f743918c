/** `isolation_level: "full"`: a D1 database and an R2 bucket of its own, and nothing of the tenant in the shared ones. */
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { type Env, settingsOf } from "../../../worker/env.ts";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { type TestTenant, getLease, newTenantId, provisionTenant, publishTinyModel, readyTenant, report } from "../../support/tenant.ts";

const FULL = "full-a";
let full: TestTenant;
let pooled: TestTenant;

async function rowsOf(d1: D1Database, tenant: string): Promise<Record<string, number>> {
  const tables = (await d1.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%tenant_id%'").all<{ name: string }>()).results;
  const counts: Record<string, number> = {};
  for (const { name } of tables) counts[name] = (await d1.prepare(`SELECT count(*) AS n FROM "${name}" WHERE tenant_id = ?`).bind(tenant).first<number>("n")) ?? 0;
  return counts;
}

/** Objects whose key or metadata names the tenant, anywhere in the bucket. */
async function objectsOf(bucket: R2Bucket, tenant: string): Promise<string[]> {
  const { objects, truncated } = await bucket.list();
  expect(truncated).toBe(false);
  return objects.filter((object) => JSON.stringify([object.key, object.customMetadata ?? {}]).includes(tenant)).map((object) => object.key);
}

beforeAll(async () => {
  full = await provisionTenant({ id: FULL as never, isolation_level: "full" });
  pooled = await readyTenant();
  await publishTinyModel(full, { fill: 42 });
  for (const tenant of [full, pooled]) {
    const lease = await getLease(tenant, { user: "u-1" });
    expectStatus(await report(lease, { input_tokens: 5, output_tokens: 6 }), 200);
    const bytes = await api.get(`/v1/blobs/${(await manifestOf(tenant)).chunk}`, { key: tenant.secret });
    expectStatus(bytes, 200);
    expectStatus(await api.get(`/v1/tenants/${tenant.id}/billing`, { key: tenant.reader }), 200);
  }
});

async function manifestOf(tenant: TestTenant): Promise<{ chunk: string }> {
  const { json } = expectStatus(await api.get("/v1/models/tiny/manifest", { key: tenant.secret }), 200);
  return { chunk: json.variants[0].files[0].chunks[0].sha256 };
}

test("no row and no object of the tenant is in the shared stores; all are in its own", async () => {
  const shared = await rowsOf(env.DB, FULL);
  expect(Object.keys(shared)).toEqual(expect.arrayContaining(["audit_events", "cost_records", "tenants", "usage_daily"]));
  expect(Object.values(shared).every((n) => n === 0), JSON.stringify(shared)).toBe(true);
  expect(await objectsOf(env.BLOBS, FULL)).toEqual([]);

  const own = await rowsOf(env.DB_FULL_A, FULL);
  for (const table of ["audit_events", "cost_records", "tenants", "usage_daily"]) expect(own[table], table).toBeGreaterThan(0);
  expect((await objectsOf(env.BLOBS_FULL_A, FULL)).length).toBeGreaterThanOrEqual(2);
});

test("nothing of another tenant is in the tenant's own stores", async () => {
  expect(Object.values(await rowsOf(env.DB_FULL_A, pooled.id)).every((n) => n === 0)).toBe(true);
  expect(await objectsOf(env.BLOBS_FULL_A, pooled.id)).toEqual([]);
  const { results } = await env.DB_FULL_A.prepare("SELECT DISTINCT tenant_id FROM audit_events").all<{ tenant_id: string }>();
  expect(results).toEqual([{ tenant_id: FULL }]);
});

test("it bills and is audited as any other; the operator's list has both, in order and in pages", async () => {
  const bill = expectStatus(await api.get(`/v1/tenants/${FULL}/billing`, { key: full.reader }), 200).json;
  expect(bill).toMatchObject({ total_tokens: 11, api_calls: 1 });
  const audit = expectStatus(await api.get(`/v1/tenants/${FULL}/audit?action=INFERENCE_EXECUTED`, { key: full.reader }), 200).json;
  expect(audit.data).toHaveLength(1);

  await provisionTenant();
  // A row that can't be read is left out; it ends neither the list nor a page.
  await env.DB.prepare("INSERT INTO tenants (tenant_id, profile, version) VALUES ('aaa-torn', '{', 1), ('aab-torn', 'null', 1)").run();
  const ids: string[] = [];
  for (let cursor = ""; ; ) {
    const page = expectStatus(await api.get(`/v1/tenants?limit=1${cursor && `&cursor=${cursor}`}`, { key: OPERATOR_KEY }), 200).json;
    ids.push(...page.data.map((item: { id: string }) => item.id));
    if (page.next_cursor === null) break;
    cursor = page.next_cursor;
  }
  expect(ids).toEqual([...new Set(ids)].sort());
  expect(ids).toEqual(expect.arrayContaining([FULL, pooled.id]));
});

test("without stores of its own, a full tenant is not made, and the answer says what to bind", async () => {
  const id = newTenantId("own");
  const answer = await api.post("/v1/tenants", { key: OPERATOR_KEY, body: { id, name: "Own", isolation_level: "full" } });
  expect([answer.status, answer.code]).toEqual([409, "isolation-not-bound"]);
  for (const part of ["D1", "R2", "TENANT_STORES", id]) expect(answer.json.detail).toContain(part);
  expect((await api.get(`/v1/tenants/${id}`, { key: OPERATOR_KEY })).status).toBe(404);
  // The id is free still, in every jurisdiction.
  expect((await api.post("/v1/tenants", { key: OPERATOR_KEY, body: { id, name: "Own", isolation_level: "full", region: "eu" } })).code).toBe("isolation-not-bound");
  expect((await api.post("/v1/tenants", { key: OPERATOR_KEY, body: { id, name: "Pooled" } })).status).toBe(201);
});

test("a pooled tenant is pooled although stores are bound in its name", async () => {
  const tenant = await provisionTenant({ id: "full-b" as never });
  await publishTinyModel(tenant);
  expect((await rowsOf(env.DB, "full-b")).tenants).toBe(1);
  expect((await objectsOf(env.BLOBS, "full-b")).length).toBeGreaterThan(0);
  expect(Object.values(await rowsOf(env.DB_FULL_B, "full-b")).every((n) => n === 0)).toBe(true);
});

test.each<[string, Record<string, unknown>, RegExp]>([
  ["a binding that is not there", { acme: { d1: "DB_NONE", r2: "BLOBS_FULL_A" } }, /DB_NONE/],
  ["one database for two tenants", { a: { d1: "DB_FULL_A", r2: "BLOBS_FULL_A" }, b: { d1: "DB_FULL_A", r2: "BLOBS_FULL_B" } }, /TENANT_STORES/],
  ["the shared stores", { acme: { d1: "DB", r2: "BLOBS" } }, /TENANT_STORES/],
  ["half of it", { acme: { d1: "DB_FULL_A" } }, /TENANT_STORES/],
  ["no tenant's id", { "Not A Tenant": { d1: "DB_FULL_A", r2: "BLOBS_FULL_A" } }, /TENANT_STORES/],
])("a configuration with %s is refused, by name", (_, TENANT_STORES, wanted) => {
  expect(() => settingsOf({ ...env, TENANT_STORES } as unknown as Env)).toThrow(wanted);
  expect(() => settingsOf({ ...env, TENANT_STORES: JSON.stringify(TENANT_STORES) } as unknown as Env)).toThrow(wanted);
});

test("the map may be JSON text as well as a table", () => {
  const map = { acme: { d1: "DB_FULL_A", r2: "BLOBS_FULL_A" } };
  for (const TENANT_STORES of [map, JSON.stringify(map)]) {
    expect(Object.fromEntries(settingsOf({ ...env, TENANT_STORES } as unknown as Env).tenantStores)).toEqual(map);
  }
});

test("a database of one tenant that fails does not send everybody else's requests away", async () => {
  await env.DB_FULL_B.exec("ALTER TABLE cost_records RENAME TO cost_records_away");
  const { status, json } = await api.get("/readyz");
  await env.DB_FULL_B.exec("ALTER TABLE cost_records_away RENAME TO cost_records");
  expect([status, json.status]).toEqual([200, "ready"]);
});
