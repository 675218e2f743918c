/**
 * Every row of one tenant in D1, whatever its table: counted and deleted. Made only from a verified credential.
 *
 * - The tables are those of schema/tables/d1.ts: one that is added there is erased from then on.
 * - A fence row goes in first. Whatever writes rows for the tenant looks for it in the same statement, so that a batch
 *   that D1 had not answered, and executes late, writes nothing.
 * - Deletes in chunks: D1 gives one statement 30 seconds.
 */
import { getTableName, is } from "drizzle-orm";
import { SQLiteTable, getTableConfig } from "drizzle-orm/sqlite-core";
import type { TenantId } from "../../schema/contract/ids.ts";
import * as tables from "../../schema/tables/d1.ts";
import type { Env } from "../env.ts";
import type { Verified } from "../tenants/credential.ts";
import { storesOf } from "../tenants/stores.ts";

const CHUNK_ROWS = 5_000;

interface Table {
  readonly name: string;
  /** The primary key's columns after `tenant_id`. */
  readonly rest: readonly string[];
}

const TABLES: readonly Table[] = Object.values(tables)
  .filter((table) => is(table, SQLiteTable) && table !== tables.erasedTenants)
  .map((table) => {
    const { primaryKeys } = getTableConfig(table as SQLiteTable);
    const columns = primaryKeys.flatMap((key) => key.columns.map((column) => column.name));
    return { name: getTableName(table as SQLiteTable), rest: columns.filter((column) => column !== "tenant_id") };
  });

export class TenantRows {
  readonly #tenant: TenantId;
  readonly #d1: D1Database;

  private constructor(tenant: TenantId, d1: D1Database) {
    this.#tenant = tenant;
    this.#d1 = d1;
  }

  static for(credential: Verified, env: Env): TenantRows {
    return new TenantRows(credential.tenant, storesOf(credential.tenant, credential.isolation, env).d1);
  }

  async count(): Promise<Record<string, number>> {
    const statements = TABLES.map(({ name }) => this.#d1.prepare(`SELECT count(*) AS n FROM "${name}" WHERE tenant_id = ?1`).bind(this.#tenant));
    const answers = await this.#d1.batch<{ n: number }>(statements);
    return Object.fromEntries(TABLES.map(({ name }, at) => [name, answers[at]?.results[0]?.n ?? 0]));
  }

  async fence(now: number): Promise<void> {
    await this.#d1.prepare("INSERT INTO erased_tenants (tenant_id, erased_at) VALUES (?1, ?2) ON CONFLICT (tenant_id) DO NOTHING").bind(this.#tenant, now).run();
  }

  async deleteAll(): Promise<void> {
    for (const table of TABLES) {
      const statement = this.#d1.prepare(chunkOf(table)).bind(this.#tenant);
      while ((await statement.run()).meta.changes > 0);
    }
  }
}

function chunkOf({ name, rest }: Table): string {
  if (rest.length === 0) return `DELETE FROM "${name}" WHERE tenant_id = ?1`;
  const columns = rest.join(", ");
  return `DELETE FROM "${name}" WHERE tenant_id = ?1 AND (${columns}) IN (SELECT ${columns} FROM "${name}" WHERE tenant_id = ?1 LIMIT ${CHUNK_ROWS})`;
}
