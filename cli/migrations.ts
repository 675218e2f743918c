/**
 * `npm run migrations -- --check`: fails where schema/tables/d1.ts says something that no migration does.
 * Without `--check` the missing migration is written.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./root.ts";

const MIGRATIONS = join(ROOT, "schema/migrations");
const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });

if (values.check) {
  const copy = mkdtempSync(join(ROOT, "node_modules/.cache/migrations-"));
  try {
    cpSync(MIGRATIONS, copy, { recursive: true });
    generate(copy);
    const missing = sqlIn(copy).filter((name) => !sqlIn(MIGRATIONS).includes(name));
    console.log(missing.length === 0 ? "The migrations are up to date." : "schema/tables/d1.ts has changed: run `npm run migrations` and commit what it writes.");
    process.exitCode = missing.length === 0 ? 0 : 1;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
} else {
  generate(MIGRATIONS);
}

/** drizzle-kit writes a migration for what differs, if anything does. It wants paths relative to where it runs. */
function generate(folder: string): void {
  const args = ["generate", "--dialect=sqlite", "--schema=./schema/tables/d1.ts", `--out=./${relative(ROOT, folder)}`];
  const { status, stdout, stderr } = spawnSync(join(ROOT, "node_modules/.bin/drizzle-kit"), args, { cwd: ROOT, encoding: "utf8", timeout: 60_000 });
  if (status !== 0) throw new Error(`drizzle-kit failed:\n${stdout}${stderr}`);
  if (!values.check) console.log(stdout.trim());
}

function sqlIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".sql"));
}
