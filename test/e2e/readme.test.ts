/** The commands in README.md that are marked so work as they are written, against the demo. */
import { execFile } from "node:child_process";
import { mkdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Demo, startDemo } from "../../cli/demo/start.ts";
import { ROOT } from "../../cli/root.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const run = promisify(execFile);
const folder = temporaryFolder();
let demo: Demo;
let blocks: string[];

beforeAll(async () => {
  const stateDir = join(folder.path, "state");
  demo = await startDemo({ stateDir, anyPorts: true, log: () => undefined, onStep: () => undefined, signal: new AbortController().signal });
  await mkdir(join(folder.path, "checkout"));
  await symlink(stateDir, join(folder.path, "checkout/.leasehold"));
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  blocks = [...readme.matchAll(/<!-- runs: test\/e2e\/readme\.test\.ts -->\n```sh\n(.*?)```/gs)].map(([, block = ""]) => block);
});

afterAll(() => demo?.stop());

/** What each `curl` of the block printed, in order; those whose output goes to a file excepted. */
async function answersOf(block: string): Promise<Record<string, unknown>[]> {
  const script = block.replaceAll("http://localhost:8787", demo.plane.url);
  const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script], { cwd: join(folder.path, "checkout") });
  return stdout.split(/(?<=\})(?=\{)/).map((text) => JSON.parse(text) as Record<string, unknown>);
}

test("a publishable key, a lease that is used and settled, and the records of it", async () => {
  expect(blocks).toHaveLength(3);
  const [makeKey = "", lease = "", records = ""] = blocks;

  const [key] = await answersOf(makeKey);
  expect(key).toMatchObject({ type: "publishable", key: expect.stringMatching(/^lh_pk_acme_/) });

  const [manifest, settled] = await answersOf(lease);
  expect(manifest).toMatchObject({ tenant: "acme", model: "ocr" });
  expect(settled).toMatchObject({ state: "settled", hold: 2_000, used: 600, user: "user-456" });

  const [quota, audit, billing] = await answersOf(records);
  expect(quota).toMatchObject({ daily_token_limit: { held: 0, posted: 600 } });
  expect(audit).toHaveProperty("data");
  expect(billing).toMatchObject({ total_tokens: 600, api_calls: 1 });
});
