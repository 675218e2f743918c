/**
 * The operator's list of tenants: the one question that D1 answers across tenants. Only operator routes import it.
 * A tenant with stores of its own stands in its own database, so every database is asked.
 */
import { asc, gt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Tenant } from "../../schema/contract/tenants.ts";
import { tenants } from "../../schema/tables/d1.ts";
import type { Env } from "../env.ts";
import { allDatabases } from "./stores.ts";

export async function listTenants(env: Env, after: string, limit: number): Promise<Tenant[]> {
  const ask = (d1: D1Database) => drizzle(d1).select().from(tenants).where(gt(tenants.tenantId, after)).orderBy(asc(tenants.tenantId)).limit(limit).all();
  const rows = (await Promise.all(allDatabases(env).map(ask))).flat();
  rows.sort((a, b) => (a.tenantId < b.tenantId ? -1 : 1));
  return rows.slice(0, limit).map((row) => JSON.parse(row.profile) as Tenant);
}
