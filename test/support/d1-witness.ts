/**
 * The witness of isolation in D1: judges every statement that the Worker sent while the tests ran.
 *
 * - A statement that reads, changes or deletes must reach each table by `tenant_id = ?`: said in its text, bound to one
 *   and the same tenant, and used by SQLite's own plan for every table it opens.
 * - A statement that inserts must name `tenant_id` as its first column and bind a tenant's id to it.
 * - The operator's questions across tenants (worker/tenants/directory.ts), and whether the tables are there at all, are excepted by their exact text, by name.
 */
import { CATALOG } from "../../worker/catalog/catalog-id.ts";
import { tenantId } from "../../schema/contract/ids.ts";
import type { Heard } from "./d1-tap.ts";

/** The statements that name no tenant. To add one is a decision about isolation. */
export const OPERATOR_STATEMENTS: Readonly<Record<string, string>> = {
  "list tenants": `select "tenant_id", "profile", "version" from "tenants" where "tenants"."tenant_id" > ? order by "tenants"."tenant_id" asc limit ?`,
  "are the tables there": `select count(*) as n from sqlite_master where type = 'table' and name in (select value from json_each(?))`,
  "read all metrics": `select "tenant_id", "model", "total", "recent", "hour", "version" from "model_metrics" where ("model_metrics"."tenant_id", "model_metrics"."model") > (?, ?) order by "model_metrics"."tenant_id" asc, "model_metrics"."model" asc limit ?`,
};

/** What is wrong with the text and the bound values of a statement; null: nothing. Pure. */
export function faultOfText({ sql, values }: Heard): string | null {
  const text = normalized(sql);
  if (Object.values(OPERATOR_STATEMENTS).some((known) => normalized(known) === text)) return null;
  if (text === "select 1") return null;
  const bound = boundTenants(sql, values);
  const distinct = new Set(bound);
  if (distinct.size > 1) return "names more than one tenant";
  if ([...distinct].some((value) => !isTenant(value))) return "binds something else than a tenant's id";
  const insert = /^insert into "?(\w+)"? ?\(([^)]*)\) (values \(|select )(.*)/.exec(text);
  if (insert) {
    if (!/^"?tenant_id"?,/.test(insert[2] as string)) return "inserts without tenant_id as its first column";
    if (!/^\?1?,/.test((insert[4] as string).replaceAll(" ", ""))) return "inserts without a bound tenant_id";
    return isTenant(values[0]) ? null : "inserts under something else than a tenant's id";
  }
  if (!/^(select|update|delete|with) /.test(text)) return "is no statement that the Worker should send";
  const tables = text.match(/\b(from|join|update) "?(\w+)"?/g)?.filter((reference) => !/ "?json_each"?$/.test(reference) && !isOwnName(reference, text)) ?? [];
  return tables.length > bound.length ? "touches a table without tenant_id = ?" : null;
}

/** What is wrong with a plan: a table that is opened otherwise than by its tenant. Pure. */
export function faultOfPlan(details: readonly string[], sql: string): string | null {
  const text = normalized(sql);
  if (Object.values(OPERATOR_STATEMENTS).some((known) => normalized(known) === text)) return null;
  const own = new Set([...text.matchAll(/(?:with(?: recursive)?|,) "?(\w+)"?(?: ?\([^)]*\))? as \(/g)].map((match) => match[1] as string));
  const opened = details.filter((line) => /^(SCAN|SEARCH) /.test(line));
  const wrong = opened.find((line) => {
    const name = line.split(" ")[1] as string;
    return name !== "json_each" && name !== "CONSTANT" && !name.startsWith("(") && !own.has(name) && !line.includes("tenant_id=?");
  });
  return wrong === undefined ? null : `opens a table otherwise than by its tenant: ${wrong}`;
}

/** Every statement that was heard and is wrong, with what is wrong with it. */
export async function judge(heard: Iterable<Heard>, db: D1Database): Promise<string[]> {
  const faults: string[] = [];
  for (const statement of heard) {
    const fault = faultOfText(statement) ?? (await planFault(statement, db));
    if (fault !== null) faults.push(`${fault}: ${statement.sql.replaceAll(/\s+/g, " ").trim()}`);
  }
  return faults;
}

async function planFault({ sql, values }: Heard, db: D1Database): Promise<string | null> {
  const { results } = await db.prepare(`EXPLAIN QUERY PLAN ${sql}`).bind(...values).all<{ detail: string }>();
  return faultOfPlan(results.map(({ detail }) => detail), sql);
}

/** The operator's own chain and catalogue are under an id where a tenant has its own. */
const isTenant = (value: unknown): boolean => value === CATALOG || tenantId.safeParse(value).success;

const normalized = (sql: string) => sql.replaceAll(/\s+/g, " ").trim().toLowerCase();

/** A name that the statement itself defines (WITH name AS …). */
const isOwnName = (reference: string, text: string) => {
  const name = (reference.split(" ")[1] as string).replaceAll('"', "");
  return new RegExp(`(with( recursive)?|,) "?${name}"?( ?\\([^)]*\\))? as \\(`).test(text);
};

/** The values bound in each `tenant_id = ?` of the text; a parameter is numbered as SQLite numbers it. */
function boundTenants(sql: string, values: readonly unknown[]): unknown[] {
  const bound: unknown[] = [];
  let last = 0;
  for (const match of sql.matchAll(/'[^']*'|(tenant_id"?\s*=\s*)?\?(\d+)?/g)) {
    if (match[0].startsWith("'")) continue;
    const number = match[2] === undefined ? last + 1 : Number(match[2]);
    last = Math.max(last, number);
    if (match[1] !== undefined) bound.push(values[number - 1]);
  }
  return bound;
}
