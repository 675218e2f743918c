/**
 * Builds dist/package, which is what `npm pack` takes: the SDK, the React hook and the AI SDK's provider as ES modules
 * with their types, the runtime's workers beside them, and onnxruntime-web's files under `engine/`.
 *
 * - All that runs is in it but React, which is the page's own. zod is a dependency for its types alone.
 */
import { spawnSync } from "node:child_process";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "vite";
import { ROOT } from "../root.ts";

const OUT = join(ROOT, "dist/package");

export async function buildPackage(): Promise<void> {
  const draft = `${OUT}.new`;
  await rm(draft, { recursive: true, force: true });
  process.env.LEASEHOLD_PACKAGE_OUT = draft;
  try {
    await build({ configFile: join(ROOT, "vite.config.ts"), mode: "package" });
    const { status } = spawnSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", join(ROOT, "cli/build/package-types.json"), "--outDir", join(draft, "types")], { cwd: ROOT, stdio: "inherit" });
    if (status !== 0) throw new Error("The package's types could not be made.");
    await rm(OUT, { recursive: true, force: true });
    await rename(draft, OUT);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
