/**
 * A thin typed door to the object's SQLite: named helpers over `SqlStorage`, and the migrations.
 * Statements are literals; values are always bound. Counts the rows that are written, as the platform bills them.
 */
import type { Home } from "../tenants/home.ts";
import { TENANT_OBJECT_MIGRATIONS } from "../../schema/tables/tenant-object.ts";

export type SqlValue = string | number | null;
export type Row = Record<string, SqlValue>;

export class Store {
  readonly #storage: DurableObjectStorage;
  #rowsWritten = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Rows written since this object woke: rows of tables and of indexes, and settings of the alarm. */
  get rowsWritten(): number {
    return this.#rowsWritten;
  }

  countAlarm(): void {
    this.#rowsWritten += 1;
  }

  all<T extends Row>(statement: string, ...values: SqlValue[]): T[] {
    return this.#storage.sql.exec<T>(statement, ...values).toArray();
  }

  /** Row after row, for more of them than memory should hold at once. Nothing may be written while it is read. */
  each<T extends Row>(statement: string, ...values: SqlValue[]): Iterable<T> {
    return this.#storage.sql.exec<T>(statement, ...values);
  }

  first<T extends Row>(statement: string, ...values: SqlValue[]): T | null {
    for (const row of this.#storage.sql.exec<T>(statement, ...values)) return row;
    return null;
  }

  run(statement: string, ...values: SqlValue[]): void {
    this.#rowsWritten += this.#storage.sql.exec(statement, ...values).rowsWritten;
  }

  /** Whether this object was ever provisioned. Reads nothing into being. */
  isProvisioned(): boolean {
    return this.first("SELECT 1 AS one FROM sqlite_master WHERE type = 'table' AND name = 'config'") !== null;
  }

  /** Where the tenant of this object's name is, where that is not here; see tenants/home.ts. */
  signpost(): Home | null {
    if (this.first("SELECT 1 AS one FROM sqlite_master WHERE type = 'table' AND name = 'signpost'") === null) return null;
    return this.first<{ home: string }>("SELECT home FROM signpost WHERE id = 1")?.home as Home | null;
  }

  putSignpost(home: Home): void {
    this.run("CREATE TABLE IF NOT EXISTS signpost (id INTEGER PRIMARY KEY CHECK (id = 1), home TEXT NOT NULL)");
    this.run("INSERT INTO signpost (id, home) VALUES (1, ?) ON CONFLICT (id) DO NOTHING", home);
  }

  /** Applies the migrations that this database lacks. Call inside a transaction. */
  migrate(): void {
    this.run("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY)");
    const done = this.first<{ version: number | null }>("SELECT max(version) AS version FROM migrations")?.version ?? 0;
    TENANT_OBJECT_MIGRATIONS.slice(done).forEach((statements, index) => {
      this.run(statements);
      this.run("INSERT INTO migrations (version) VALUES (?)", done + index + 1);
    });
  }
}
