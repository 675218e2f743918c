/**
 * `npm run dev -- [--port N] [--state DIR] [--operator-key K]`: the control plane on this machine.
 *
 * - Stdout gets one line when it serves: `{"ready":true,"url":"…","operator_key":"…"}`. All else goes to stderr.
 * - Ends on Ctrl-C or SIGTERM with status 0; where the server ends by itself, with status 1 and what it said last.
 */
import { parseArgs } from "node:util";
import { parsePort, usageError } from "./arguments.ts";
import { startControlPlane } from "./control-plane/start.ts";
import { aborted, onShutdown } from "./shutdown.ts";

const HELP = "npm run dev -- [--port N] [--state DIR] [--operator-key lh_op_…]";

const options = usageError(HELP, () => {
  const { values } = parseArgs({ options: { port: { type: "string" }, state: { type: "string", default: ".leasehold" }, "operator-key": { type: "string" } } });
  return { stateDir: values.state, port: parsePort(values.port), operatorKey: values["operator-key"] };
});
const signal = onShutdown();

try {
  const plane = await startControlPlane({ ...options, log: (text) => process.stderr.write(text), signal });
  process.stdout.write(`${JSON.stringify({ ready: true, url: plane.url, operator_key: plane.operatorKey })}\n`);
  const said = await Promise.race([plane.ended, aborted(signal).then(() => null)]);
  await plane.stop();
  if (said !== null) throw new Error("wrangler dev ended by itself; what it said last stands above.");
} catch (error) {
  if (!signal.aborted) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
process.exit();
