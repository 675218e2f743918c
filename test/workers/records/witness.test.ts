import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { getTableName, is } from "drizzle-orm";
import { SQLiteTable, getTableConfig } from "drizzle-orm/sqlite-core";
import * as tables from "../../../schema/tables/d1.ts";
import { OPERATOR_KEY, api } from "../../support/api.ts";
import { heard } from "../../support/d1-tap.ts";
import { judge } from "../../support/d1-witness.ts";
import { getLease, readyTenant, report } from "../../support/tenant.ts";

test("every table of D1 has tenant_id first in its primary key", () => {
  const all = Object.values(tables).filter((table) => is(table, SQLiteTable));
  expect(all.length).toBeGreaterThan(3);
  for (const table of all) {
    const { primaryKeys, columns } = getTableConfig(table);
    const first = primaryKeys[0]?.columns[0]?.name ?? columns.find((column) => column.primary)?.name;
    expect(first, getTableName(table)).toBe("tenant_id");
  }
});

test("the witness hears what the Worker and the tenant object say to D1, and judges it by SQLite's own plans", async () => {
  const tenant = await readyTenant();
  const lease = await getLease(tenant);
  await report(lease, { input_tokens: 1 });
  await api.get(`/v1/tenants/${tenant.id}/audit`, { key: tenant.reader });
  await api.get(`/v1/tenants/${tenant.id}/usage`, { key: tenant.reader });
  await api.get("/v1/tenants", { key: OPERATOR_KEY });
  const texts = [...heard.keys()];
  for (const table of ["audit_events", "cost_records", "usage_daily", "tenants"]) expect(texts.some((text) => text.includes(table))).toBe(true);
  expect(await judge(heard.values(), env.DB)).toEqual([]);
  const scan = { sql: "SELECT seq FROM audit_events AS a WHERE a.tenant_id = ?1 OR a.seq = ?2", values: ["acme", 1] };
  expect((await judge([scan], env.DB))[0]).toContain("opens a table otherwise than by its tenant");
});
