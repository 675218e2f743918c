/**
 * `npm run demo -- --check`: the whole product on a state of its own, driven by a real browser. Prints a line for each
 * thing that holds or does not, and a closing line.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Demo, startDemo } from "../demo/start.ts";
import { checkIsolation } from "./isolation.ts";
import { checkQuotaUsedUp } from "./quota-used-up.ts";
import { checkReading } from "./reading.ts";
import { SMALL_RECEIPT, drawReceipt } from "./receipt.ts";
import { openReport } from "./report.ts";

const KEPT_LOG = 200_000;

export async function runCheck(signal: AbortSignal): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "leasehold-check-"));
  const report = openReport(console.log);
  let said = "";
  let demo: Demo | null = null;
  try {
    let step = "";
    demo = await startDemo({
      stateDir: join(folder, "state"),
      anyPorts: true,
      log: (text) => (said = (said + text).slice(-KEPT_LOG)),
      onStep: (name) => name !== step && console.log(`${(step = name)}…`),
      signal,
    });
    const [acme, globex] = demo.tenants;
    if (!acme || !globex) throw new Error("The demo has two tenants.");
    const bench = { plane: demo.plane, acme, globex, picture: await drawReceipt(SMALL_RECEIPT), profileDir: join(folder, "profile") };
    console.log("");
    for (const part of [checkReading, checkIsolation, checkQuotaUsedUp]) {
      signal.throwIfAborted();
      await part(bench, report);
    }
    const held = report.close();
    if (!held) console.error(`\nThe control plane said last:\n${said.split("\n").slice(-40).join("\n")}`);
    return held;
  } catch (error) {
    if (!signal.aborted) console.error(said.split("\n").slice(-40).join("\n"));
    throw error;
  } finally {
    await demo?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
