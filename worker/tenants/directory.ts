/** The operator's list of tenants: the one question that D1 answers across tenants. Only operator routes import it. */
import { asc, gt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Tenant } from "../../schema/contract/tenants.ts";
import { tenants } from "../../schema/tables/d1.ts";
import type { Env } from "../env.ts";

export async function listTenants(env: Env, after: string, limit: number): Promise<Tenant[]> {
  const rows = await drizzle(env.DB).select().from(tenants).where(gt(tenants.tenantId, after)).orderBy(asc(tenants.tenantId)).limit(limit).all();
  return rows.map((row) => JSON.parse(row.profile) as Tenant);
}
