/** Starting an engine over a network that fails, where a browser does not say that it was the network. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { NotLoaded, loading, startWhereFilesCome } from "../../../client/runtime/backends/engine-files.ts";

let server: Server;
let files: URL[];
/** By name: what is still to fail; and what was asked for. */
const faults = new Map<string, ("cut" | number)[]>();
const asked: string[] = [];

beforeAll(async () => {
  server = createServer(({ url = "" }, response) => {
    const name = url.slice(1);
    asked.push(name);
    const fault = faults.get(name)?.shift();
    if (fault === "cut") return response.destroy();
    return response.writeHead(fault ?? 200).end("code");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  files = ["api.mjs", "engine.wasm"].map((name) => new URL(name, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`));
});
afterAll(() => server.close());
beforeEach(() => {
  faults.clear();
  asked.length = 0;
});

/** A start that fails so often; and how it was asked for. */
function starting(times: number, error: Error = new NotLoaded("failed to import")) {
  const tries: string[] = [];
  const start = async (again: string) => {
    tries.push(again);
    if (tries.length <= times) throw error;
    return "started";
  };
  return { tries, started: startWhereFilesCome(files, start, [1, 1]) };
}

test("what starts asks for nothing", async () => {
  expect(await starting(0).started).toBe("started");
  expect(asked).toEqual([]);
});

test.each([["cut" as const], [503], [429]])("where a file did not come and then does, the engine is started again by other names: %s", async (fault) => {
  faults.set("engine.wasm", [fault, fault]);
  const { tries, started } = starting(1);
  expect(await started).toBe("started");
  expect(tries).toEqual(["", "?again"]);
  expect(asked).toEqual(["api.mjs", "engine.wasm", "engine.wasm", "engine.wasm"]);
});

test.each([["cut" as const], [503]])("where one does not come at all it is the network's fault, and the engine is not started again: %s", async (fault) => {
  faults.set("api.mjs", [fault, fault, fault]);
  const { tries, started } = starting(1);
  await expect(started).rejects.toMatchObject({ name: "LeaseholdError", code: "network-failed" });
  expect(tries).toEqual([""]);
});

test("where all come, or one is not there, it is what the browser said", async () => {
  const error = new NotLoaded("a syntax that it doesn't know");
  await expect(starting(2, error).started).rejects.toBe(error);
  faults.set("engine.wasm", [404]);
  const { tries, started } = starting(1, error);
  await expect(started).rejects.toBe(error);
  expect(tries).toEqual([""]);
});

test("an engine that ran and failed is not started again", async () => {
  const { tries, started } = starting(1, new Error("the trial run gave a wrong result"));
  await expect(started).rejects.toThrow("a wrong result");
  expect([tries, asked]).toEqual([[""], []]);
});

test("code that does not load says why", async () => {
  const cause = new TypeError("Failed to fetch dynamically imported module");
  await expect(loading(Promise.reject(cause))).rejects.toMatchObject({ message: cause.message, cause });
  expect(await loading(Promise.resolve(1))).toBe(1);
});
