/** Bundles a Worker as a deployment would, with wrangler's own bundler, and answers the script's text. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../root.ts";

const run = promisify(execFile);

/** `config`: a wrangler.toml, as a path from the repository's root. Rejects with wrangler's own words. */
export async function bundleWorker(config: string): Promise<string> {
  const out = await mkdtemp(join(tmpdir(), "leasehold-bundle-"));
  try {
    const wrangler = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
    await run(process.execPath, [wrangler, "deploy", "--config", config, "--dry-run", "--outdir", out], {
      cwd: ROOT,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
    });
    const script = (await readdir(out)).find((name) => name.endsWith(".js"));
    if (script === undefined) throw new Error(`wrangler bundled no script from ${config}`);
    return await readFile(join(out, script), "utf8");
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}
