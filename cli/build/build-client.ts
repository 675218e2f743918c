/**
 * Builds dist/client where its sources changed since the last build.
 *
 * - What counts as changed: the name, time or size of any file that the build reads.
 * - A build is made in a folder of its own and then takes the place of the old one, so that a server that is running
 *   never serves half a build; of two runs at once, one builds and the other waits.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "vite";
import { tryLock } from "../control-plane/state-lock.ts";
import { ROOT } from "../root.ts";

const SOURCES = ["client", "schema/contract", "cli/build", "vite.config.ts", "package-lock.json"];
const OUT = join(ROOT, "dist/client");
const STAMP = "dist/client.stamp";

/** Resolves to whether a build was needed. */
export async function buildClient(): Promise<boolean> {
  if (await isCurrent()) return false;
  const unlock = await waitForLock();
  try {
    if (await isCurrent()) return false; // another run has built it meanwhile
    await buildAnew();
    return true;
  } finally {
    unlock();
  }
}

async function isCurrent(): Promise<boolean> {
  return existsSync(join(OUT, "widget.js")) && (await readStamp()) === (await fingerprint());
}

async function waitForLock(): Promise<() => void> {
  for (;;) {
    const lock = await tryLock(join(ROOT, "dist/building"));
    if (typeof lock === "function") return lock;
    await sleep(200);
  }
}

async function buildAnew(): Promise<void> {
  const stamp = await fingerprint();
  const draft = `${OUT}.new`;
  const configFile = join(ROOT, "vite.config.ts");
  process.env.LEASEHOLD_CLIENT_OUT = draft;
  try {
    await build({ configFile, mode: "production" });
    await build({ configFile, mode: "widget" });
    await rm(`${OUT}.old`, { recursive: true, force: true });
    if (existsSync(OUT)) await rename(OUT, `${OUT}.old`);
    await rename(draft, OUT);
    await writeFile(join(ROOT, STAMP), stamp);
  } finally {
    await rm(draft, { recursive: true, force: true });
    await rm(`${OUT}.old`, { recursive: true, force: true });
  }
}

async function fingerprint(): Promise<string> {
  const hash = createHash("sha256");
  for (const source of SOURCES) {
    for (const path of await filesOf(join(ROOT, source))) {
      const { mtimeMs, size } = await stat(path);
      hash.update(`${path}\n${mtimeMs}\n${size}\n`);
    }
  }
  return hash.digest("hex");
}

async function filesOf(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort();
}

async function readStamp(): Promise<string | null> {
  const path = join(ROOT, STAMP);
  return existsSync(path) ? readFile(path, "utf8") : null;
}
