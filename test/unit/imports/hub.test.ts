import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Hub, HubFault, MOST_WITHOUT_RANGES } from "../../../worker/imports/hub.ts";
import { COMMIT, TestHub } from "../../support/hub.ts";

const LARGE = Uint8Array.from({ length: 100_000 }, (_, at) => at % 251);
const SMALL = new TextEncoder().encode("{}");
let server: TestHub;
beforeAll(async () => {
  const files = { "config.json": SMALL, "onnx/model.onnx": LARGE };
  server = await TestHub.start({ "org/open": { files, pipeline: "text-generation", licence: "apache-2.0" }, "org/private": { files, token: "hf_secret" }, "org/terse": { files: { ...files, "README.md": SMALL }, isTerse: true } });
});
afterAll(() => server.stop());
afterEach(() => {
  server.fault = () => null;
  server.heard.length = 0;
});

const hub = (token: string | null = null) => new Hub(server.url, token);
const weights = { path: "onnx/model.onnx", size: LARGE.length };
async function read(offset: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of hub().read("org/open", COMMIT, weights, offset)) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}
const faultOf = async (work: Promise<unknown>) => {
  const fault = await work.then(() => null, (cause: unknown) => cause);
  expect(fault).toBeInstanceOf(HubFault);
  const { code, isFinal } = fault as HubFault;
  return { code, isFinal };
};

it("describes a model with the digests that the hub states", async () => {
  const model = await hub().describe("org/open", "main");
  expect(model).toMatchObject({ commit: COMMIT, pipeline: "text-generation", licence: "apache-2.0" });
  expect(model.files.map(({ path, size, sha256, git }) => [path, size, sha256 !== null, git !== null])).toEqual([["config.json", 2, false, true], ["onnx/model.onnx", 100_000, true, false]]);
});

it("asks for a revision with slashes as for one", async () => {
  expect((await hub().describe("org/open", "refs/pr/1")).commit).toBe(COMMIT);
});

it("asks for what a description of names alone leaves out, of the files that are wanted", async () => {
  const { files } = await hub().describe("org/terse", "main", (path) => path !== "README.md");
  expect(files).toEqual([
    { path: "config.json", size: 2, sha256: null, git: null },
    { path: "onnx/model.onnx", size: 100_000, sha256: createHash("sha256").update(LARGE).digest("hex"), git: null },
  ]);
  expect(server.heard.some(({ path }) => path.endsWith("README.md"))).toBe(false);
});

it.each([0, 1, 99_999])("reads a file from byte %i on, through the redirect", async (offset) => {
  expect(await read(offset)).toEqual(LARGE.subarray(offset));
  expect(server.heard.map(({ range }) => range)).toEqual([`bytes=${offset}-`, `bytes=${offset}-`]);
});

it("passes over what it has where the hub ignores the range", async () => {
  server.fault = () => "whole";
  expect(await read(5)).toEqual(LARGE.subarray(5));
});

it("does not go on so with a large file, of which it would read the beginning in each slice anew", async () => {
  server.fault = () => "whole";
  const large = { ...weights, size: MOST_WITHOUT_RANGES + 1 };
  const first = async (size: number, offset: number) => (await hub().read("org/open", COMMIT, { ...weights, size }, offset).next()).done;
  expect(await faultOf(first(large.size, 5))).toEqual({ code: "source-without-ranges", isFinal: true });
  expect(await first(large.size, 0)).toBe(false);
  expect(await first(MOST_WITHOUT_RANGES, 5)).toBe(false);
});

it("sends the token to the endpoint's origin, and nothing is read without it", async () => {
  expect((await hub("hf_secret").describe("org/private", "main")).commit).toBe(COMMIT);
  expect(server.heard[0]?.authorization).toBe("Bearer hf_secret");
  expect(await faultOf(hub().describe("org/private", "main"))).toEqual({ code: "source-forbidden", isFinal: true });
});

describe("a redirect", () => {
  it.each([
    "http://169.254.169.254/latest/meta-data", "http://localhost:1/x", "https://10.0.0.8/x", "https://[::1]/x", "https://metadata.internal/x", "http://example.com/x", "//127.0.0.1:9/x", "file:///etc/passwd", "https://user@example.com/",
  ])("to %s is not followed", async (location) => {
    server.fault = () => ({ location });
    expect(await faultOf(hub("hf_secret").describe("org/open", "main"))).toEqual({ code: "source-unsafe", isFinal: true });
    expect(server.heard).toHaveLength(1);
  });

  it("to another port of the endpoint's own machine is not followed", async () => {
    const other = await TestHub.start({});
    server.fault = () => ({ location: `${other.url}/x` });
    expect((await faultOf(hub("hf_secret").describe("org/open", "main"))).code).toBe("source-unsafe");
    expect(other.heard).toEqual([]);
    await other.stop();
  });

  it("in a circle ends", async () => {
    server.fault = () => ({ location: "/round" });
    expect(await faultOf(hub().describe("org/open", "main"))).toEqual({ code: "source-unsafe", isFinal: true });
  });
});

it.each([
  [404, "source-not-found", true],
  [403, "source-forbidden", true],
  [416, "source-changed", true],
  [429, "source-unreachable", false],
  [500, "source-unreachable", false],
])("an answer of %i is %s", async (status, code, isFinal) => {
  server.fault = () => status;
  expect(await faultOf(hub().describe("org/open", "main"))).toEqual({ code, isFinal });
});

it("an answer of 429 says when the hub is to be asked again", async () => {
  for (const [retryAfter, ms] of [["120", 120_000], ["soon", 0], [undefined, 0]] as const) {
    server.fault = () => ({ status: 429, retryAfter });
    await expect(hub().describe("org/open", "main")).rejects.toMatchObject({ code: "source-unreachable", retryAfterMs: ms });
  }
});

describe("a hub that drips", () => {
  const limits = { silenceMs: 20_000, paceMs: 400, paceBytes: 50_000 };
  const dripping = async (cancelled?: AbortSignal, pace = limits) => {
    for await (const _ of new Hub(server.url, null, cancelled, pace).read("org/open", COMMIT, weights, 0)) continue;
  };
  const drip = () => (server.fault = ({ path }) => (path.startsWith("/cdn/") ? "drip" : null));

  it("is left when too little has come for a while, and may be asked again", async () => {
    drip();
    expect(await faultOf(dripping())).toEqual({ code: "source-unreachable", isFinal: false });
    await expect.poll(() => server.dripping, { timeout: 10_000 }).toBe(0);
  });

  it("is left at once where that is wanted, in the middle of a body and before the next request", async () => {
    drip();
    const cancelled = new AbortController();
    const reading = faultOf(dripping(cancelled.signal, { ...limits, paceMs: 1e9 }));
    await expect.poll(() => server.dripping, { timeout: 10_000 }).toBe(1);
    cancelled.abort();
    expect(await reading).toEqual({ code: "source-unreachable", isFinal: false });
    await expect.poll(() => server.dripping, { timeout: 10_000 }).toBe(0);
    expect((await faultOf(dripping(cancelled.signal))).code).toBe("source-unreachable");
  });
});

it("a body that breaks off, and a hub that is gone, are asked again", async () => {
  server.fault = (_, index) => (index === 0 ? null : "cut");
  expect(await faultOf(read(0))).toEqual({ code: "source-unreachable", isFinal: false });
  expect(await faultOf(new Hub("http://127.0.0.1:1", null).describe("org/open", "main"))).toEqual({ code: "source-unreachable", isFinal: false });
});
