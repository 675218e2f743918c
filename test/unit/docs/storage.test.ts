/** docs/storage.md against the schemas themselves: every table with its key and every column, and no table that is none. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { memoryStore } from "../../support/sqlite-storage.ts";

const MIGRATIONS = join(import.meta.dirname, "../../../schema/migrations");
const PAGE = readFileSync(join(import.meta.dirname, "../../../docs/storage.md"), "utf8");
/** In objects before, after and beside the numbered migrations. */
const OWN = ["erasure", "signpost"];

function d1(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  for (const name of readdirSync(MIGRATIONS).filter((file) => file.endsWith(".sql")).sort()) database.exec(readFileSync(join(MIGRATIONS, name), "utf8"));
  return database;
}

/** The second cell of a table's row as it should be: key, then the other columns. */
function columnsOf(database: DatabaseSync, table: string): string {
  const columns = database.prepare(`PRAGMA table_info(${table})`).all() as { name: string; pk: number }[];
  const named = (some: typeof columns) => some.map(({ name }) => `\`${name}\``).join(" ");
  return [named(columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk)), named(columns.filter(({ pk }) => pk === 0))].filter((part) => part !== "").join(" · ");
}

const tablesOf = (database: DatabaseSync) =>
  Object.fromEntries((database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all() as { name: string }[]).map(({ name }) => [name, columnsOf(database, name)]));

/** First and second cell of every row under the headings that `heading` fits. */
function documented(heading: RegExp): Record<string, string> {
  const sections = PAGE.split(/^## /m).filter((section) => heading.test(section));
  const rows = sections.flatMap((section) => [...section.matchAll(/^\| `(\w+)` \| ([^|]*) \|/gm)]);
  return Object.fromEntries(rows.map(([, table, columns]) => [table, columns]));
}

test("every table and column of the tenant object stands in docs/storage.md, and nothing else", () => {
  const page = documented(/^Tenant object/);
  expect(Object.keys(page)).toEqual(expect.arrayContaining(OWN));
  expect(Object.fromEntries(Object.entries(page).filter(([table]) => !OWN.includes(table)))).toEqual(tablesOf(memoryStore().database));
});

test("every table and column of D1 stands in docs/storage.md, and nothing else", () => {
  expect(documented(/^D1/)).toEqual(tablesOf(d1()));
});
