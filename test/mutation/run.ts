/**
 * `npm run test:mutation`: tries mutants of the ledger, the credentials and the audit chain, group after group, and
 * prints what each file's tests notice. `npm run test:mutation -- audit leases`: of these groups alone.
 *
 * - A group below the limit of stryker.config.json (`break`) fails the run; the groups after it are tried all the same.
 * - Words for people are not mutated (words.ts). Reports: .leasehold/mutation/<group>.json.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Stryker } from "@stryker-mutator/core";
import { GROUPS } from "./groups.ts";

interface Mutant {
  readonly status: string;
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly location: { readonly start: { readonly line: number; readonly column: number } };
}

const reportOf = (name: string) => join(".leasehold/mutation", `${name}.json`);
const isNoticed = ({ status }: Mutant) => status === "Killed" || status === "Timeout";
const isMissed = ({ status }: Mutant) => status === "Survived" || status === "NoCoverage";

function tell(name: string, seconds: number): void {
  const { files } = JSON.parse(readFileSync(reportOf(name), "utf8")) as { files: Record<string, { mutants: Mutant[] }> };
  console.log(`\n${name} (${seconds} s)`);
  for (const [file, { mutants }] of Object.entries(files)) {
    const missed = mutants.filter(isMissed);
    const noticed = mutants.filter(isNoticed).length;
    console.log(`${((100 * noticed) / (noticed + missed.length)).toFixed(1).padStart(6)} %  ${noticed} of ${noticed + missed.length}  ${file}`);
    for (const { location, mutatorName, replacement } of missed) console.log(`          ${location.start.line}:${location.start.column} ${mutatorName} → ${replacement?.replaceAll(/\s+/g, " ").slice(0, 80)}`);
  }
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in GROUPS));
if (unknown.length > 0) throw new Error(`no such group: ${unknown.join(", ")}. There are ${Object.keys(GROUPS).join(", ")}.`);
for (const [name, { mutate }] of Object.entries(GROUPS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.env.MUTATION_GROUP = name;
  const began = Date.now();
  await new Stryker({ mutate: [...mutate], jsonReporter: { fileName: reportOf(name) }, tempDirName: `.stryker-tmp/${name}` }).runMutationTest();
  tell(name, Math.round((Date.now() - began) / 1000));
}
