/**
 * A thin typed door to the object's SQLite: named helpers over `SqlStorage`, and the migrations.
 * Statements are literals; values are always bound. Counts the rows that are written, as the platform bills them.
 *
 * What every call needs (a key, the policy, a price) is kept in memory by `recall` until a table that it was read of is
 * written. Every write passes through here, and a transaction that fails forgets all that was kept.
 */
import type { Home } from "../tenants/home.ts";
import { TENANT_OBJECT_MIGRATIONS } from "../../schema/tables/tenant-object.ts";

export type SqlValue = string | number | null;
export type Row = Record<string, SqlValue>;

/** What was read, and how often its tables had been written by then. */
interface Kept {
  readonly value: unknown;
  readonly writes: number;
}

const MAX_KEPT = 10_000;

export class Store {
  readonly #storage: DurableObjectStorage;
  readonly #kept = new Map<string, Kept>();
  readonly #writes = new Map<string, number>();
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

  /**
   * What `read` says, read once and kept while none of `tables` is written and `holds` says so; nothing is kept of null.
   * `name`: one for each thing that is read. The value is shared: nobody changes it.
   */
  recall<T>(name: string, tables: readonly string[], read: () => T, holds: (value: T) => boolean = () => true): T {
    const writes = tables.reduce((sum, table) => sum + (this.#writes.get(table) ?? 0), 0);
    const kept = this.#kept.get(name);
    if (kept?.writes === writes && holds(kept.value as T)) return kept.value as T;
    const value = read();
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    if (value === null) this.#kept.delete(name);
    else this.#kept.set(name, { value, writes });
    return value;
  }

  /** Runs `work` in one transaction. A throw rolls it back, and what was kept of it is forgotten. */
  transact<T>(work: () => T): T {
    try {
      return this.#storage.transactionSync(work);
    } catch (cause) {
      this.forget();
      throw cause;
    }
  }

  /** To be called where tables may have changed in another way than by `run`: a transaction was undone. */
  forget(): void {
    this.#kept.clear();
  }

  run(statement: string, ...values: SqlValue[]): void {
    const table = tableWritten(statement);
    if (table === null) this.forget();
    else this.#writes.set(table, (this.#writes.get(table) ?? 0) + 1);
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

const written = new Map<string, string | null>();

/** The one table that a statement writes; null: not known. */
function tableWritten(statement: string): string | null {
  let table = written.get(statement);
  if (table === undefined) {
    table = statement.includes(";") ? null : (/^\s*(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)/.exec(statement)?.[1] ?? null);
    written.set(statement, table);
  }
  return table;
}
