/**
 * `npm run docs [-- --check]`: writes what is made from the sources: pages of docs/, and what the control plane knows of
 * the runtime's tasks. With `--check` nothing is written: it fails, and says which page, where one is stale.
 *
 * - docs/access.md: who may use which way in, from worker/http/access.ts.
 * - docs/problems.md: every problem code with its status, from schema/contract/problems.ts.
 * - schema/contract/tasks.ts: every task with its facts, from client/runtime/tasks/registry.ts.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PROBLEMS, type ProblemShape } from "../schema/contract/problems.ts";
import type { TaskFacts } from "../schema/contract/task.ts";
import { TASKS } from "../client/runtime/tasks/registry.ts";
import { ACCESS, type WayOpenTo } from "../worker/http/access.ts";
import { ROOT } from "./root.ts";

const MADE = "<!-- Made by `npm run docs`. Change the source, not this page. -->";

const COLUMNS: readonly { readonly title: string; readonly isOpen: (row: readonly WayOpenTo[]) => boolean }[] = [
  { title: "no credential", isOpen: (row) => row.includes("anyone") },
  { title: "operator", isOpen: (row) => row.includes("operator") },
  { title: "sk `admin`", isOpen: (row) => row.some((open) => open === "admin" || open === "leases" || open === "read") },
  { title: "sk `leases`", isOpen: (row) => row.includes("leases") },
  { title: "sk `read`", isOpen: (row) => row.includes("read") },
  { title: "pk", isOpen: (row) => row.includes("publishable") },
  { title: "lease", isOpen: (row) => row.includes("lease") },
  { title: "late lease", isOpen: (row) => row.includes("late-lease") },
];

function accessPage(): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rows = Object.entries(ACCESS).map(([way, open]: [string, readonly WayOpenTo[]]) => {
    const all = open.includes("anyone");
    return row([`\`${way}\``, ...COLUMNS.map(({ isOpen }) => (all || isOpen(open) ? "✓" : ""))]);
  });
  return `${MADE}

# Who may use which way in

The one table is \`ACCESS\` in worker/http/access.ts. Handlers are guarded by it, \`/openapi.json\` carries each row as
\`x-access\`, and test/workers/access/matrix.test.ts asks every way in with every kind of credential.

${row(["way in", ...COLUMNS.map((column) => column.title)])}
${row(["---", ...COLUMNS.map(() => ":---:")])}
${rows.join("\n")}

What a request is answered that the table does not let in, in this order:

| the request brings | answer |
| --- | --- |
| no credential, another scheme, a mistyped key, a token that this deployment did not sign | 401 \`unauthorized\` |
| a session of the console that has ended, or that signs in | 401 \`unauthorized\` |
| a session of the console from another page than our own, or a change that names no page | 403 \`origin-not-allowed\` |
| a lease past its time | 401 \`lease-expired\` |
| the operator's key from a page of another origin | 403 \`origin-not-allowed\` |
| a credential of another tenant than the path's | 404 \`not-found\`, as for a tenant that does not exist |
| a key that is unknown, revoked or expired | 401 \`unauthorized\` |
| a secret key from a browser page, but where it signs in from our own | 403 \`origin-not-allowed\` |
| a credential that this way in is not for | 403 \`forbidden\` |
| a publishable key from a page that it does not name | 403 \`origin-not-allowed\` |

\`sk\`: a secret key with that scope (\`admin\` includes the others). \`pk\`: a publishable key, from a page of its origins
or from the operator's own embed. A lease reads its own model, and reads and reports itself alone; a publishable key may
read the state of any lease of its tenant whose id it knows. \`late lease\`: an offline lease past its end, until the end of
its grace time; elsewhere it is answered as any lease past its time. A session of the console is let in as the key that it
was obtained with, but for \`POST /v1/session\`; a request that brings \`Authorization\` too is judged by that alone.
`;
}

function problemsPage(): string {
  const rows = Object.entries(PROBLEMS).map(([code, shape]: [string, ProblemShape]) => `| \`${code}\` | ${shape.status} | ${shape.title} | ${shape.retry ? "yes" : ""} |`);
  return `${MADE}

# Problem codes

Every error is \`application/problem+json\` (RFC 9457); \`code\` is one of these, from schema/contract/problems.ts.

| code | status | title | Retry-After |
| --- | :---: | --- | :---: |
${rows.join("\n")}
`;
}

function taskTable(): string {
  const list = (names: readonly string[]) => `[${names.map((name) => JSON.stringify(name)).join(", ")}]`;
  const rows = Object.entries(TASKS).map(([name, { facts }]: [string, { readonly facts: TaskFacts }]) => `  ${JSON.stringify(name)}: { measure: "${facts.measure}", selfTests: ${list(facts.selfTests)}, pipelines: ${list(facts.pipelines)}, architectures: ${list(facts.architectures)} },`);
  return `/** The tasks that models are published for. Made by \`npm run docs\` from client/runtime/tasks/registry.ts: change an adapter's facts, not this file. */
import type { TaskFacts } from "./task.ts";

export const TASKS = {
${rows.join("\n")}
} as const satisfies Readonly<Record<string, TaskFacts>>;
`;
}

const PAGES = { "docs/access.md": accessPage, "docs/problems.md": problemsPage, "schema/contract/tasks.ts": taskTable } as const;

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
const stale = Object.entries(PAGES).filter(([path, make]) => {
  const at = join(ROOT, path);
  const made = make();
  if (existsSync(at) && readFileSync(at, "utf8") === made) return false;
  if (!values.check) writeFileSync(at, made);
  return true;
});
for (const [path] of stale) console[values.check ? "error" : "log"](values.check ? `${path} is stale. Run \`npm run docs\`.` : `Wrote ${path}.`);
if (stale.length === 0) console.log("What is made from the sources is up to date.");
process.exitCode = values.check && stale.length > 0 ? 1 : 0;
