/**
 * The platform's SQLite as the tenant object knows it (`storage.sql`), on Node's own SQLite in memory: so that a million
 * steps of the ledger run without workerd. What only workerd can break is tested in workerd.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Store } from "../../worker/ledger/store.ts";

type Value = string | number | null;

export function memoryStore(): { store: Store; database: DatabaseSync } {
  const database = new DatabaseSync(":memory:");
  const prepared = new Map<string, StatementSync>();
  const rowsOf = (text: string, values: Value[]): Record<string, unknown>[] => {
    let statement = prepared.get(text);
    if (!statement) {
      // Several statements in one text, as migrations have them, take no values.
      if (text.trim().split(";").length > 2) {
        database.exec(text);
        return [];
      }
      statement = database.prepare(text);
      prepared.set(text, statement);
    }
    return statement.all(...values) as Record<string, unknown>[];
  };
  const sql = {
    exec(text: string, ...values: Value[]) {
      const rows = rowsOf(text, values);
      return { rowsWritten: 0, toArray: () => rows, [Symbol.iterator]: () => rows[Symbol.iterator]() };
    },
  };
  const transactionSync = <T>(work: () => T): T => {
    database.exec("SAVEPOINT transaction_sync");
    try {
      return work();
    } catch (cause) {
      database.exec("ROLLBACK TO transaction_sync");
      throw cause;
    } finally {
      database.exec("RELEASE transaction_sync");
    }
  };
  const store = new Store({ sql, transactionSync } as unknown as DurableObjectStorage);
  store.migrate();
  return { store, database };
}
