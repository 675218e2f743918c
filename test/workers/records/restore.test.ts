/**
 * D1 lost wholly, and made anew: from a copy of its rows, as `wrangler d1 export` or Time Travel gives it, and from what the
 * tenant's object still has. docs/operations.md names the steps.
 */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { type TestTenant, getLease, objectOf, quotaOf, readyTenant, report } from "../../support/tenant.ts";

type Rows = Record<string, unknown>[];
const TABLES = ["tenants", "audit_events", "cost_records", "usage_daily"] as const;

const verify = async (tenant: TestTenant) => expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit/verify`, { key: tenant.reader }), 200).json;
const billOf = async (tenant: TestTenant) => expectStatus(await api.get(`/v1/tenants/${tenant.id}/billing`, { key: tenant.reader }), 200).json;
const resend = async (tenant: TestTenant) => expectStatus(await api.put(`/v1/tenants/${tenant.id}/audit/resend`, { key: OPERATOR_KEY, body: {} }), 200).json;
const rowsOf = async (table: string, tenant: TestTenant) => (await env.DB.prepare(`SELECT * FROM ${table} WHERE tenant_id = ?`).bind(tenant.id).all()).results as Rows;
const backUp = async (tenant: TestTenant) => Object.fromEntries(await Promise.all(TABLES.map(async (table) => [table, await rowsOf(table, tenant)] as const)));
const lose = (tenant: TestTenant) => env.DB.batch(TABLES.map((table) => env.DB.prepare(`DELETE FROM ${table} WHERE tenant_id = ?`).bind(tenant.id)));

async function putBack(copy: Record<string, Rows>): Promise<void> {
  for (const [table, rows] of Object.entries(copy)) {
    const columns = Object.keys(rows[0] ?? {});
    const values = columns.map((column) => `value ->> '$.${column}'`).join(", ");
    if (rows.length > 0) await env.DB.prepare(`INSERT INTO ${table} (${columns.join(", ")}) SELECT ${values} FROM json_each(?)`).bind(JSON.stringify(rows)).run();
  }
}

async function use(tenant: TestTenant, times: number): Promise<void> {
  for (let n = 0; n < times; n++) await report(await getLease(tenant, { user: `user-${n % 2}` }), { input_tokens: n + 1, output_tokens: 1 });
}

test("with the newest events in the ledger, D1 is whole again without a copy; leases went on meanwhile", async () => {
  const tenant = await readyTenant();
  await use(tenant, 4);
  const [before, quota] = [await billOf(tenant), await quotaOf(tenant)];
  expect((await verify(tenant)).valid).toBe(true);
  await lose(tenant);
  expect(await verify(tenant)).toMatchObject({ valid: false, reason: "events-truncated" });
  expect((await quotaOf(tenant)).daily_token_limit).toEqual(quota.daily_token_limit);
  await use(tenant, 1);
  const { events, from_seq, days } = await resend(tenant);
  expect([events > 10, from_seq, days]).toEqual([true, 1, 2]);
  expect(await verify(tenant)).toMatchObject({ valid: true, discrepancies: [] });
  expect((await billOf(tenant)).api_calls).toBe(before.api_calls + 1);
  const listed = expectStatus(await api.get("/v1/tenants?limit=200", { key: OPERATOR_KEY }), 200).json.data as { id: string }[];
  expect(listed.some(({ id }) => id === tenant.id)).toBe(true);
});

test("with a copy that is older than the loss, the ledger has what came after it; without one, what is older is gone", async () => {
  const tenant = await readyTenant();
  await use(tenant, 3);
  expect((await verify(tenant)).valid).toBe(true);
  const copy = await backUp(tenant);
  await use(tenant, 3);
  const bill = await billOf(tenant);
  // As if 4,096 events had come since: of what the copy has, the ledger has the last two.
  const kept = (copy.audit_events as Rows).length - 2;
  await runInDurableObject(objectOf(tenant.id), (_, { storage }) => void storage.sql.exec("DELETE FROM outbox WHERE seq <= ?", kept));
  await lose(tenant);
  expect((await resend(tenant)).from_seq).toBe(kept + 1);
  expect(await verify(tenant)).toMatchObject({ valid: false, events: 0 });
  await lose(tenant);
  await putBack(copy);
  expect((await verify(tenant)).valid).toBe(false);
  await resend(tenant);
  expect(await verify(tenant)).toMatchObject({ valid: true, discrepancies: [] });
  expect(await billOf(tenant)).toEqual(bill);
});
