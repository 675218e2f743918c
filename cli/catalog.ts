/**
 * `npm run catalog -- COMMAND …`: the operator's catalogue from the command line, through the public API.
 *
 * - The key is in the environment, `LEASEHOLD_KEY`: the operator's, or for `derive` the admin's of the tenant. Never an argument.
 * - Stdout gets what the API answers, as JSON; how far it is goes to stderr. Status 1: refused, or failed; 2: a wrong command.
 */
import { parseArgs } from "node:util";
import { apiAt } from "./api.ts";
import { usageError } from "./arguments.ts";
import { CATALOG_HELP, type CatalogCommand, parseCatalog } from "./catalog/commands.ts";
import { runCatalog } from "./catalog/run.ts";

const OPTIONS = {
  url: { type: "string", default: "http://localhost:8787" },
  tenant: { type: "string" },
  folder: { type: "string" },
  task: { type: "string" },
  measure: { type: "string" },
  "run-tokens": { type: "string" },
  variant: { type: "string", default: "default" },
  licence: { type: "string" },
  "input-nanos": { type: "string", default: "0" },
  "output-nanos": { type: "string", default: "0" },
  draft: { type: "boolean", default: false },
  source: { type: "string" },
  variants: { type: "string" },
  revision: { type: "string" },
  follow: { type: "boolean" },
  base: { type: "string" },
  file: { type: "string", multiple: true },
  tensor: { type: "string", multiple: true },
} as const;

const { command, api } = usageError(CATALOG_HELP, (): { command: CatalogCommand; api: ReturnType<typeof apiAt> } => {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true, allowNegative: true });
  const key = process.env.LEASEHOLD_KEY;
  if (!key) throw new Error("Set LEASEHOLD_KEY to the key that the command is done with.");
  return { command: parseCatalog(positionals, values), api: apiAt(values.url, key) };
});

try {
  console.log(JSON.stringify(await runCatalog(api, command, (text) => process.stderr.write(`${text}\n`)), null, 2));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
