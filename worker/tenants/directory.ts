/**
 * The operator's list of tenants and their metrics: the questions that D1 answers across tenants. Only operator routes
 * import it; test/support/d1-witness.ts knows its statements by their text.
 * A tenant with stores of its own stands in its own database, so every database is asked.
 */
import { asc, gt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Tenant } from "../../schema/contract/tenants.ts";
import { modelMetrics, tenants } from "../../schema/tables/d1.ts";
import type { Env } from "../env.ts";
import { allDatabases } from "./stores.ts";

/** A row of the list. `tenant`: null where the row can't be read; its id still says where the next page begins. */
export interface Listed {
  readonly id: string;
  readonly tenant: Tenant | null;
}

export async function listTenants(env: Env, after: string, limit: number): Promise<Listed[]> {
  const ask = (d1: D1Database) => drizzle(d1).select().from(tenants).where(gt(tenants.tenantId, after)).orderBy(asc(tenants.tenantId)).limit(limit).all();
  const rows = (await Promise.all(allDatabases(env).map(ask))).flat();
  rows.sort((a, b) => (a.tenantId < b.tenantId ? -1 : 1));
  return rows.slice(0, limit).map(({ tenantId, profile }) => ({ id: tenantId, tenant: shownOf(tenantId, profile) }));
}

/** What a profile lacks that was written before there was such a field. */
const BEFORE = { price_floor: null, allow_control_flow: false };

/** One row that is not as it was written must not hide all other tenants: it is left out, and the log names it. */
function shownOf(id: string, profile: string): Tenant | null {
  try {
    const shown = { ...BEFORE, ...(JSON.parse(profile) as Omit<Tenant, keyof typeof BEFORE>) };
    if (shown.id !== id) throw new Error("the profile names another tenant");
    return shown;
  } catch (cause) {
    console.error(JSON.stringify({ level: "error", message: "a tenant's profile in D1 can't be read: it is left out of the list", tenant: id, error: String(cause) }));
    return null;
  }
}

const PAGE = 500;

/** The metrics of every tenant's every model, read in pages. */
export async function allModelMetrics(env: Env): Promise<(typeof modelMetrics.$inferSelect)[]> {
  const found: (typeof modelMetrics.$inferSelect)[] = [];
  for (const d1 of allDatabases(env)) {
    for (let last = { tenantId: "", model: "" }; ; ) {
      const page = await drizzle(d1)
        .select()
        .from(modelMetrics)
        .where(sql`(${modelMetrics.tenantId}, ${modelMetrics.model}) > (${last.tenantId}, ${last.model})`)
        .orderBy(asc(modelMetrics.tenantId), asc(modelMetrics.model))
        .limit(PAGE)
        .all();
      found.push(...page);
      if (page.length < PAGE) break;
      last = page.at(-1) as (typeof page)[number];
    }
  }
  return found;
}
