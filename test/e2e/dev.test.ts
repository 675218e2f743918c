/** `npm run dev`: what other programs rely on. */
import { join } from "node:path";
import { readdir, stat } from "node:fs/promises";
import { afterEach, expect, test } from "vitest";
import { tenant, tenantCreate } from "../../schema/contract/tenants.ts";
import { makeOperatorKey } from "../../schema/contract/keys.ts";
import { apiAt } from "../../cli/api.ts";
import { eventually } from "../../cli/check/report.ts";
import { freePort } from "../../cli/control-plane/ports.ts";
import { ROOT } from "../../cli/root.ts";
import { type DevProcess, descendantsOf, isRunning, startDev } from "../support/dev-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const started: DevProcess[] = [];

function dev(...args: string[]): DevProcess {
  const process = startDev(...args);
  started.push(process);
  return process;
}

afterEach(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill("SIGTERM");
    await ended;
  }
});

test("prints one line when it serves, keeps its state, and leaves no process behind", async () => {
  const state = join(folder.path, "state");
  const port = String(await freePort());
  const operatorKey = makeOperatorKey();

  const first = dev("--port", port, "--state", state, "--operator-key", operatorKey);
  const { url } = await first.ready;
  expect(JSON.parse(first.stdout())).toEqual({ ready: true, url: `http://localhost:${port}`, operator_key: operatorKey });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const notices = await fetch(`${url}/assets/third-party-notices.txt`);
  expect([notices.headers.get("cache-control"), notices.headers.get("x-content-type-options")]).toEqual(["public, max-age=3600", "nosniff"]);
  expect(await notices.text()).toContain("preact");
  await apiAt(url, operatorKey).post("/v1/tenants", tenantCreate.parse({ id: "kept", name: "Kept" }), tenant);
  // workerd has no jurisdictions: the Worker was told so.
  await apiAt(url, operatorKey).post("/v1/tenants", tenantCreate.parse({ id: "kept-eu", name: "Kept", region: "eu" }), tenant);
  expect((await stat(join(state, "dev-secrets.json"))).mode & 0o777).toBe(0o600);

  const below = descendantsOf(first.child.pid ?? 0);
  expect(below.length).toBeGreaterThanOrEqual(2); // wrangler and workerd
  first.child.kill("SIGTERM");
  expect(await first.ended).toBe(0);
  expect(await eventually(() => below.filter(isRunning), (left) => left.length === 0)).toEqual([]);
  expect(first.stdout().trim().split("\n")).toHaveLength(1);

  const second = dev("--state", state);
  const again = await second.ready;
  expect(again.operator_key).toBe(operatorKey);
  expect((await apiAt(again.url, operatorKey).get("/v1/tenants/kept", tenant)).name).toBe("Kept");
});

test("serves no file that is too large for a static asset", async () => {
  const entries = await readdir(join(ROOT, "dist/client"), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  expect(files.filter((path) => path.endsWith(".wasm")).length).toBeGreaterThan(3);
  for (const path of files) expect((await stat(path)).size, path).toBeLessThanOrEqual(25 * 1024 * 1024);
});

test("says what to do where the port or the state folder is taken, and ends", async () => {
  const state = join(folder.path, "taken");
  const { url } = await dev("--state", state).ready;

  const samePort = dev("--state", join(folder.path, "other"), "--port", new URL(url).port);
  expect(await samePort.ended).toBe(1);
  expect(samePort.stderr()).toContain(`Port ${new URL(url).port} is in use`);

  const sameState = dev("--state", state);
  expect(await sameState.ended).toBe(1);
  expect(sameState.stderr()).toContain("is in use by another run");

  const wrong = dev("--port", "eighty");
  expect(await wrong.ended).toBe(2);
  expect(wrong.stderr()).toContain("Usage:");
});

test("ends with status 1 where wrangler is killed, and ends wrangler where it is killed itself", async () => {
  const state = join(folder.path, "killed");
  const first = dev("--state", state);
  await first.ready;
  const [wrangler = 0, ...rest] = descendantsOf(first.child.pid ?? 0);
  process.kill(wrangler, "SIGKILL");
  expect(await first.ended).toBe(1);
  expect(await eventually(() => rest.filter(isRunning), (left) => left.length === 0)).toEqual([]);

  const second = dev("--state", state);
  await second.ready;
  const below = descendantsOf(second.child.pid ?? 0);
  second.child.kill("SIGKILL");
  await second.ended;
  expect(await eventually(() => below.filter(isRunning), (left) => left.length === 0)).toEqual([]);

  await dev("--state", state).ready; // the lock of a killed run is no lock
});
