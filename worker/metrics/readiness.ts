/**
 * Whether this deployment can do its work: its configuration holds, the shared D1 has its tables, R2 answers; and how far D1 is behind.
 *
 * - Leases are granted without D1. It is looked at all the same: where it is away, records are late.
 * - A database of one tenant alone that fails is logged, and shows in the lag; it sends nobody else's requests away.
 * - What is said shows no setting, no tenant and no error's text; those go to the log.
 * - Kept for a second: anybody may ask, and an answer costs a question to each part.
 */
import { getTableName, is } from "drizzle-orm";
import { SQLiteTable } from "drizzle-orm/sqlite-core";
import * as tables from "../../schema/tables/d1.ts";
import { type Env, settingsOf } from "../env.ts";
import { allDatabases } from "../tenants/stores.ts";
import { within } from "../within.ts";
import { type LagSummary, lagBoard } from "./lag-board.ts";

const TIMEOUT_MS = 2_000;
const KEEP_MS = 1_000;

export type Part = "configuration" | "d1" | "r2" | "lag_board";

export interface Readiness {
  /** The parts that do not answer. */
  readonly failing: readonly Part[];
  /** Null where the board itself does not answer. */
  readonly lag: LagSummary | null;
}

let kept: { env: Env; at: number; readiness: Readiness } | null = null;

export async function readinessOf(env: Env): Promise<Readiness> {
  const now = Date.now();
  if (kept?.env === env && now >= kept.at && now < kept.at + KEEP_MS) return kept.readiness;
  const readiness = await ask(env);
  kept = { env, at: now, readiness };
  return readiness;
}

async function ask(env: Env): Promise<Readiness> {
  const failing: Part[] = [];
  const part = async <T>(name: Part, work: () => Promise<T>): Promise<T | null> => {
    try {
      return await within(TIMEOUT_MS, name, work());
    } catch (cause) {
      failing.push(name);
      console.error(JSON.stringify({ level: "error", message: "a part of the deployment is not ready", part: name, error: String(cause) }));
      return null;
    }
  };
  const own = async (db: D1Database): Promise<void> => {
    try {
      await within(TIMEOUT_MS, "d1", hasTables(db));
    } catch (cause) {
      console.error(JSON.stringify({ level: "error", message: "a tenant's own database is not ready", error: String(cause) }));
    }
  };
  const configured = await part("configuration", async () => settingsOf(env));
  const [lag] = await Promise.all([
    part("lag_board", async () => (await lagBoard(env).summary()) as LagSummary),
    part("d1", () => hasTables(env.DB)),
    part("r2", () => env.BLOBS.head("ready")),
    ...(configured ? allDatabases(env).slice(1).map(own) : []),
  ]);
  return { failing, lag };
}

const TABLES = Object.values(tables).flatMap((table) => (is(table, SQLiteTable) ? [getTableName(table)] : []));

/** A database that answers and lacks its migrations takes no record either. */
async function hasTables(db: D1Database): Promise<void> {
  const row = await db.prepare("SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND name IN (SELECT value FROM json_each(?))").bind(JSON.stringify(TABLES)).first<{ n: number }>();
  if (row?.n !== TABLES.length) throw new Error(`the database has ${row?.n ?? 0} of ${TABLES.length} tables: apply the migrations`);
}
