/**
 * `npm run demo [-- --check | --reset] [--port N] [--state DIR] [--chat DIR]`: all of Leasehold on this machine, with two tenants
 * and their web sites.
 *
 * - `--reset` starts over from an empty state. `--check` runs on a state of its own, drives a real browser over it and
 *   fails unless everything holds. `--chat` gives the first tenant a chat model from a folder, laid out as a hub has it.
 * - What wrangler says goes to `<state>/wrangler.log`; its last lines are shown where it fails.
 */
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { parsePort, usageError } from "./arguments.ts";
import { lockState } from "./control-plane/state-lock.ts";
import { openBrowser } from "./demo/open-browser.ts";
import { type Demo, startDemo } from "./demo/start.ts";
import { showSteps } from "./demo/steps.ts";
import { summaryOf } from "./demo/summary.ts";
import { aborted, onShutdown } from "./shutdown.ts";

const HELP = "npm run demo [-- --check | --reset] [--port N] [--state DIR] [--chat DIR]";

const options = usageError(HELP, () => {
  const { values } = parseArgs({
    options: { check: { type: "boolean", default: false }, reset: { type: "boolean", default: false }, port: { type: "string" }, chat: { type: "string" }, state: { type: "string", default: ".leasehold" } },
  });
  if (values.check && values.reset) throw new Error("--check has a state of its own: there is nothing to reset.");
  return { ...values, port: parsePort(values.port) };
});
const signal = onShutdown();

try {
  if (options.check) {
    const { runCheck } = await import("./check/run.ts");
    process.exitCode = (await runCheck(signal)) ? 0 : 1;
  } else {
    await runDemo();
  }
} catch (error) {
  if (!signal.aborted) {
    console.error(`\n${(error as Error).message}`);
    process.exitCode = 1;
  }
}
process.exit();

async function runDemo(): Promise<void> {
  const stateDir = resolve(options.state);
  if (options.reset) await resetState(stateDir);
  await mkdir(stateDir, { recursive: true });
  const log = createWriteStream(join(stateDir, "wrangler.log"));
  const steps = showSteps(process.stdout);
  const begun = performance.now();
  let demo: Demo;
  try {
    demo = await startDemo({ stateDir, port: options.port, ...(options.chat !== undefined && { chatFolder: resolve(options.chat) }), log: (text) => log.write(text), onStep: steps.show, signal });
  } finally {
    steps.end();
  }
  console.log(summaryOf(demo, (performance.now() - begun) / 1000));
  if (process.stdout.isTTY && !process.env.CI) openBrowser(demo.tenants[0]?.site.url ?? demo.plane.url);

  const said = await Promise.race([demo.plane.ended, aborted(signal).then(() => null)]);
  if (signal.aborted) console.log("\nStopping…");
  await demo.stop();
  if (said !== null) throw new Error(`The control plane ended by itself. It said last:\n${said}`);
}

/** Removes the state folder, unless a run holds it, or it holds something else. */
async function resetState(stateDir: string): Promise<void> {
  if (!existsSync(stateDir)) return;
  if (!existsSync(join(stateDir, "dev-secrets.json"))) throw new Error(`${stateDir} is not a state folder of Leasehold, so it is not removed.`);
  const unlock = await lockState(stateDir);
  unlock();
  await rm(stateDir, { recursive: true, force: true });
}
