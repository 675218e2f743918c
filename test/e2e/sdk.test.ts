/**
 * The SDK on a tenant's own page, with a real control plane and a real Chromium: what an update costs, what two tabs
 * fetch, how models share memory, and that whatever breaks on the way, the next call works.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContext, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { apiAt } from "../../cli/api.ts";
import { SMALL_RECEIPT, drawReceipt } from "../../cli/check/receipt.ts";
import { type ControlPlane, startControlPlane } from "../../cli/control-plane/start.ts";
import { ocrPublication } from "../../cli/demo/ocr-model.ts";
import { type Publication, publishModel } from "../../cli/publish.ts";
import { ORT_FILES, ORT_PATH } from "../../client/runtime/ort-files.ts";
import { z } from "zod";
import { model as modelShape } from "../../schema/contract/models.ts";
import { leaseState } from "../../schema/contract/leases.ts";
import { keyCreated, tenant as tenantShape, tenantCreate } from "../../schema/contract/tenants.ts";
import { descendantsOf } from "../support/dev-process.ts";
import { doubleModel } from "../support/small-models.ts";
import { person, SdkPage, type Loaded } from "../support/sdk-page.ts";
import { type SdkSite, sdkSite } from "../support/sdk-site.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const TEXT = SMALL_RECEIPT.lines.join("\n");
const BLOBS = "**/v1/blobs/*";
const PUBLICATION = ocrPublication({ input_nanos_per_token: 10, output_nanos_per_token: 10 });
const folder = temporaryFolder();
const people: BrowserContext[] = [];
let plane: ControlPlane;
let site: SdkSite;
let receipt: Buffer;
let size: number;
const admins = new Map<string, string>();
const keys = new Map<string, string>();

beforeAll(async () => {
  plane = await startControlPlane({ stateDir: join(folder.path, "state"), port: "any", log: () => undefined });
  site = await sdkSite(join(folder.path, "vite"), { path: ORT_PATH, files: ORT_FILES });
  receipt = await drawReceipt(SMALL_RECEIPT);
  for (const id of ["acme", "globex"]) {
    const operator = apiAt(plane.url, plane.operatorKey);
    await operator.post("/v1/tenants", tenantCreate.parse({ id, name: id, policy: { offline_leases: true } }), tenantShape);
    const { key: admin } = await operator.post(`/v1/tenants/${id}/keys`, { type: "secret", name: "admin", scopes: ["admin"] }, keyCreated);
    const { key } = await apiAt(plane.url, admin).post(`/v1/tenants/${id}/keys`, { type: "publishable", name: "site", origins: [site.origin] }, keyCreated);
    const { key: backEnd } = await operator.post(`/v1/tenants/${id}/keys`, { type: "secret", name: "back end", scopes: ["leases"] }, keyCreated);
    admins.set(id, admin);
    keys.set(`${id}:back end`, backEnd);
    keys.set(id, key);
  }
  for (const name of ["ocr", "second", "third"]) size = (await publish("acme", name, PUBLICATION)).size_bytes;
  await publish("globex", "ocr", PUBLICATION);
});

afterEach(async () => {
  for (const context of people.splice(0)) await context.close();
});

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await plane?.stop();
});

const publish = (tenant: string, name: string, publication: Publication) => publishModel(apiAt(plane.url, admins.get(tenant) ?? ""), tenant, name, publication);
const optionsOf = (tenant: string, budgetBytes?: number) => ({ publishableKey: keys.get(tenant) ?? "", baseUrl: plane.url, ...(budgetBytes && { pool: { budgetBytes } }) });

let profiles = 0;
async function newPerson(): Promise<BrowserContext> {
  const context = await person(join(folder.path, `profile-${++profiles}`));
  people.push(context);
  return context;
}

const visit = (context: BrowserContext, tenant = "acme", budgetBytes?: number) => SdkPage.open(context, `${site.origin}/page`, optionsOf(tenant, budgetBytes));

/** What of the weights is asked for from now on, by digest. */
function watchBlobs(context: BrowserContext): string[] {
  const asked: string[] = [];
  context.on("request", (request) => {
    const path = new URL(request.url()).pathname;
    if (request.method() === "GET" && path.startsWith("/v1/blobs/")) asked.push(path.slice("/v1/blobs/".length));
  });
  return asked;
}

/** Breaks the answers to the first `times` requests for weights. */
async function breakBlobs(context: BrowserContext, times: number, how: (route: Route) => Promise<void>): Promise<void> {
  let left = times;
  await context.route(BLOBS, (route) => (left-- > 0 ? how(route) : route.continue()));
}

const PATIENT = { timeout: 60_000, interval: 200 };
const keysOf = () => readFileSync(PUBLICATION.variants[0]?.files.find(({ path }) => path === "keys.txt")?.source ?? "", "utf8").split("\n");

/** The model with another dictionary. */
function withKeys(keys: readonly string[]): Publication {
  const source = join(folder.path, `keys-${keys.length}.txt`);
  writeFileSync(source, keys.join("\n"));
  const files = (PUBLICATION.variants[0]?.files ?? []).map((file) => (file.path === "keys.txt" ? { ...file, source } : file));
  return { ...PUBLICATION, variants: [{ id: "fp32", files }] };
}

/** Of the same characters, two of them in each other's place: neither is on the receipt. */
function changedKeys(): string[] {
  const [one = "", two = "", ...rest] = keysOf();
  return [two, one, ...rest];
}

/** Of three characters: what loads it finds that it is not this network's. */
const shortKeys = () => keysOf().slice(0, 3);

const auditPage = z.object({ data: z.array(z.object({ details: z.record(z.string(), z.unknown()) })) });

const cors = { "access-control-allow-origin": "*", "access-control-expose-headers": "*, Content-Range" };

/** Gives the status of what was cut. */
const cutShort = async (route: Route): Promise<number> => {
  const answer = await route.fetch();
  const body = await answer.body();
  await route.fulfill({ response: answer, headers: { ...answer.headers(), ...cors, "content-length": String(Math.floor(body.length / 2)) }, body: body.subarray(0, Math.floor(body.length / 2)) });
  return answer.status();
};

test("an update fetches the part that changed and says what it saved; the model then reads with it", async () => {
  const context = await newPerson();
  const first = await visit(context);
  expect(await first.preload("second")).toMatchObject({ cache: "miss", fetchedBytes: size, cachedBytes: 0 });
  const told = await first.told();
  expect(told.at(-1)).toMatchObject({ loadedBytes: size, totalBytes: size });

  await publish("acme", "second", withKeys(changedKeys()));

  const asked = watchBlobs(context);
  expect(await first.read("second", receipt)).toBe(TEXT);
  await expect.poll(() => first.updates(), PATIENT).toMatchObject([{ model: "second", fetchedBytes: expect.any(Number), cachedBytes: expect.any(Number) }]);
  const [update] = await first.updates();
  expect((update?.fetchedBytes ?? 0) + (update?.cachedBytes ?? 0)).toBe(size);
  expect(update?.cachedBytes ?? 0).toBeGreaterThan(size / 2);
  expect(asked).toHaveLength(1);
  expect(await first.read("second", receipt)).toBe(TEXT);

  const again = await visit(context);
  const loaded = (await again.preload("second")) as Loaded;
  expect(loaded).toMatchObject({ cache: "hit", fetchedBytes: 0, cachedBytes: size });
  expect(asked).toHaveLength(1);
});

test("a client keeps the revision that works while the new one can't be fetched, or does not run; then it switches, and no call is lost", async () => {
  const admin = apiAt(plane.url, admins.get("acme") ?? "");
  const models = "/v1/tenants/acme/models/third";
  const context = await newPerson();
  const page = await visit(context);
  const before = await publish("acme", "third", PUBLICATION);
  await page.preload("third");
  const revisionsUsed = async () => {
    const { data } = await admin.get("/v1/tenants/acme/audit?model=third&action=LEASE_GRANTED&limit=200", auditPage);
    return data.filter(({ details }) => details.purpose === "inference").map(({ details }) => details.revision);
  };

  // A new revision that can't be fetched: the calls go on.
  const good = await publish("acme", "third", withKeys(changedKeys()));
  await context.route(BLOBS, (route) => route.abort("connectionreset"));
  expect(await page.read("third", receipt)).toBe(TEXT);
  await expect.poll(() => page.updates(), PATIENT).toMatchObject([{ model: "third", error: { code: "network-failed" } }]);
  expect(await page.read("third", receipt)).toBe(TEXT);
  await context.unroute(BLOBS);

  // One that is fetched whole and does not run: the calls go on too, in a new page as well.
  const broken = await publish("acme", "third", withKeys(shortKeys()));
  const next = await visit(context);
  expect(await next.read("third", receipt)).toBe(TEXT);
  await expect.poll(() => next.updates(), PATIENT).toMatchObject([{ model: "third", error: { code: "model-invalid" } }]);
  expect(await next.read("third", receipt)).toBe(TEXT);
  expect(new Set(await revisionsUsed())).toEqual(new Set([before.revision]));

  // Rolled back to the good one: it is fetched beside the calls that go on, and then runs.
  await admin.post(`${models}/rollback`, { from: broken.revision }, modelShape);
  const last = await visit(context);
  const reads: unknown[] = [];
  await expect.poll(async () => {
    reads.push(await last.read("third", receipt));
    return last.updates();
  }, PATIENT).toMatchObject([{ model: "third", revision: good.revision }]);
  expect(await last.read("third", receipt)).toBe(TEXT);
  expect(new Set(reads)).toEqual(new Set([TEXT]));
  expect((await revisionsUsed()).at(-1)).toBe(good.revision);

  // What is rolled back from is granted to nobody: this page goes to the one before at its next call.
  await admin.post(`${models}/rollback`, { from: good.revision }, modelShape);
  expect(await last.read("third", receipt)).toBe(TEXT);
  expect((await revisionsUsed()).at(-1)).toBe(before.revision);
}, 180_000);

test("two tabs fetch a model once between them", async () => {
  const context = await newPerson();
  const [one, two] = [await visit(context), await visit(context)];
  const asked = watchBlobs(context);
  const loads = (await Promise.all([one.preload("ocr"), two.preload("ocr")])) as Loaded[];
  expect(loads.map((load) => load.fetchedBytes + load.cachedBytes)).toEqual([size, size]);
  expect((loads[0]?.fetchedBytes ?? 0) + (loads[1]?.fetchedBytes ?? 0)).toBe(size);
  expect(new Set(asked).size).toBe(asked.length);
  for (const tab of [one, two]) expect((await tab.told()).at(-1)?.loadedBytes).toBe(size);
});

test("an answer that is cut short, and the answer with its rest that is cut too, are gone on with in the same call", async () => {
  const context = await newPerson();
  const page = await visit(context);
  const cut: number[] = [];
  let chunk: string | undefined;
  await context.route(BLOBS, async (route) => {
    chunk ??= route.request().url();
    if (route.request().url() !== chunk || cut.length === 2) return route.continue();
    cut.push(await cutShort(route));
  });
  expect(await page.preload("ocr")).toMatchObject({ cache: "miss", fetchedBytes: size });
  expect(cut).toEqual([200, 206]);
  expect(await page.read("ocr", receipt)).toBe(TEXT);
});

test.each<[string, (route: Route) => Promise<void>]>([
  ["a connection that breaks", (route) => route.abort("connectionreset")],
  ["a lease that ends", (route) => route.fulfill({ status: 401, headers: { ...cors, "content-type": "application/problem+json" }, body: JSON.stringify({ type: "x", title: "x", status: 401, code: "lease-expired", detail: "Ask for a new one.", request_id: "req_1" }) })],
  ["a flipped bit", async (route) => {
    const answer = await route.fetch();
    const body = await answer.body();
    body[0] = (body[0] ?? 0) ^ 1;
    await route.fulfill({ response: answer, body });
  }],
])("%s in the middle of a download is mended within the same call", async (_, how) => {
  const context = await newPerson();
  const page = await visit(context);
  await breakBlobs(context, 2, how);
  expect(await page.preload("ocr")).toMatchObject({ cache: "miss", fetchedBytes: size });
  expect(await page.read("ocr", receipt)).toBe(TEXT);
});

test("a network that goes away fails the call with its code, and the next one fetches only the rest", async () => {
  const context = await newPerson();
  const page = await visit(context);
  const asked = watchBlobs(context);
  await context.route(BLOBS, (route) => (asked.length > 2 ? route.abort("internetdisconnected") : route.continue()));
  expect(await page.preload("ocr")).toEqual({ code: "network-failed" });
  await context.unroute(BLOBS);
  const loaded = (await page.preload("ocr")) as Loaded;
  expect(loaded.cachedBytes).toBeGreaterThan(0);
  expect(loaded.fetchedBytes + loaded.cachedBytes).toBe(size);
});

test("a page that crashes in the middle of a download leaves what was whole, and nothing that is not", async () => {
  const context = await newPerson();
  const page = await visit(context);
  const asked = watchBlobs(context);
  const held = Promise.withResolvers<void>();
  await page.page.route(BLOBS, async (route) => {
    if (asked.length <= 3) return route.continue();
    held.resolve();
  });
  const loading = page.preload("ocr").catch(() => "gone with its page");
  await held.promise;
  await expect.poll(async () => ((await page.told()).at(-1)?.loadedBytes ?? 0) > 0).toBe(true);
  await page.page.waitForTimeout(500);
  const cdp = await context.newCDPSession(page.page);
  void cdp.send("Page.crash").catch(() => undefined); // the answer goes with the page
  expect(await loading).toBe("gone with its page");

  const next = await visit(context);
  const loaded = (await next.preload("ocr")) as Loaded;
  expect(loaded.cachedBytes).toBeGreaterThan(0);
  expect(loaded.fetchedBytes + loaded.cachedBytes).toBe(size);
  expect(await next.read("ocr", receipt)).toBe(TEXT);
});

test("a disk that is full keeps nobody from reading", async () => {
  const context = await newPerson();
  const page = await visit(context);
  const cdp = await context.newCDPSession(page.page);
  await cdp.send("Storage.overrideQuotaForOrigin", { origin: site.origin, quotaSize: 3_000_000 });
  expect(await page.preload("ocr")).toMatchObject({ cache: "miss", fetchedBytes: size });
  expect(await page.read("ocr", receipt)).toBe(TEXT);
});

test("a worker that throws fails the call with its code, and the next one works", async () => {
  const context = await newPerson();
  const page = await visit(context);
  await page.preload("ocr");
  const worker = page.page.workers().find((one) => one.url().includes("runtime/worker.ts"));
  await worker?.evaluate(() => {
    addEventListener("message", () => {
      throw new Error("boom");
    });
  });
  expect(await page.read("ocr", receipt)).toEqual({ code: "runtime-crashed" });
  expect(await page.read("ocr", receipt)).toBe(TEXT);
});

test("a build for WebGPU that does not start gives way to the one that runs without", async () => {
  const files = PUBLICATION.variants[0]?.files ?? [];
  await publish("acme", "two-builds", { ...PUBLICATION, variants: [{ id: "gpu", requires: { backend: "webgpu" }, files }, { id: "cpu", files }] });
  const context = await newPerson();
  await context.addInitScript(() => {
    const info = { vendor: "A vendor", architecture: "", description: "A card", isFallbackAdapter: false };
    Object.defineProperty(navigator, "gpu", { value: { requestAdapter: async () => ({ info, features: new Set(), limits: { maxStorageBufferBindingSize: 2 ** 31 } }) } });
  });
  await context.route("**/ort-wasm-simd-threaded.jspi.*", (route) => route.fulfill({ status: 404 })); // a fault of the network would be told as that
  const page = await SdkPage.open(context, `${site.origin}/page`, { ...optionsOf("acme"), backend: "auto" });
  expect(await page.preload("two-builds")).toMatchObject({ variant: "cpu", backend: "wasm" });
  expect(await page.read("two-builds", receipt)).toBe(TEXT);
});

test("a graphics device that is lost is replaced; lost again soon, the build for WebGPU gives way to the one that runs without", async () => {
  const source = join(folder.path, "double.onnx");
  writeFileSync(source, doubleModel());
  const files = [{ path: "model.onnx", source }];
  await publish("globex", "double", { task: "raw", usage: { measure: "per-run", tokens: 1 }, prices: PUBLICATION.prices, variants: [{ id: "gpu", requires: { backend: "webgpu" }, files }, { id: "cpu", files }] });
  const context = await newPerson();
  await context.addInitScript(() => {
    Object.defineProperty(GPUAdapter.prototype, "info", { get: () => ({ vendor: "A vendor", architecture: "", description: "A card", isFallbackAdapter: false }) });
  });
  const page = await SdkPage.open(context, `${site.origin}/page`, { ...optionsOf("globex"), backend: "auto" });
  expect(await page.preload("double")).toMatchObject({ variant: "gpu", backend: "webgpu" });
  expect(await page.compute("double", 21)).toBe(42);

  const cdp = await context.newCDPSession(page.page);
  const engines = () => page.page.workers().filter((one) => one.url().includes("runtime/worker.ts")).length;
  const crash = async () => {
    await cdp.send("Browser.crashGpuProcess");
    await expect.poll(engines).toBe(0); // the page has heard of it
  };
  await crash();
  expect(await page.compute("double", 22)).toBe(44);
  expect(await page.preload("double")).toMatchObject({ variant: "gpu", backend: "webgpu" });

  await crash();
  expect(await page.compute("double", 23)).toEqual({ code: "backend-unavailable" });
  expect(await page.compute("double", 24)).toBe(48);
  expect(await page.preload("double")).toMatchObject({ variant: "cpu", backend: "wasm" });
});

test("three models, room for two, two tenants: the one used longest ago leaves, the other tenant's stay, and memory falls", async () => {
  const context = await newPerson();
  const page = await visit(context, "acme", 2 * size * 2);
  await page.addSdk(optionsOf("globex"), "globex");
  await page.preload("ocr", "globex");
  await page.preload("ocr");
  await page.preload("second");
  expect(await page.read("ocr", receipt)).toBe(TEXT);
  const others = page.read("ocr", receipt, "globex");
  await page.preload("third");
  expect(await page.warm()).toEqual(["ocr", "third"]);
  expect(await page.warm("globex")).toEqual(["ocr"]);
  expect(await others).toBe(TEXT);

  const before = renderersBytes(profiles);
  for (const model of ["ocr", "third"]) await page.unload(model);
  expect(await page.warm()).toEqual([]);
  await expect.poll(() => renderersBytes(profiles), { timeout: 20_000, interval: 500 }).toBeLessThan(before - size);
  expect(await page.read("ocr", receipt, "globex")).toBe(TEXT);
});

test("without a network a page that is loaded anew reads on what it took along, no further, and reports when there is one again", async () => {
  const context = await newPerson();
  const online = await visit(context);
  const perPicture = Math.ceil((SMALL_RECEIPT.width * SMALL_RECEIPT.height) / 750);
  const lease = await online.prepareOffline("ocr", 2 * perPicture + 1);
  await online.page.close();
  const stateOf = () => apiAt(plane.url, keys.get("acme:back end") ?? "").get(`/v1/leases/${lease?.lease_id}`, leaseState);

  const network = `${plane.url}/**`;
  await context.route(network, (route) => route.abort("internetdisconnected"));
  const offline = await visit(context);
  expect(await offline.read("ocr", receipt)).toBe(TEXT);
  expect(await offline.offlineLeases()).toMatchObject([{ tokens: perPicture + 1, unsent: 1 }]);
  expect(await offline.read("ocr", receipt)).toBe(TEXT);
  expect(await offline.read("ocr", receipt)).toEqual({ code: "network-failed" });
  expect((await stateOf()).reports).toBe(0);

  await context.unroute(network);
  await offline.page.evaluate(() => dispatchEvent(new Event("online")));
  await expect.poll(async () => (await stateOf()).reports).toBe(2);
  expect(await stateOf()).toMatchObject({ state: "active", used: 2 * perPicture });
  await offline.endOffline("ocr");
  expect(await stateOf()).toMatchObject({ state: "settled", used: 2 * perPicture });
  expect(await offline.offlineLeases()).toEqual([]);
});

/** What the pages of a profile take, as the system sees it. */
function renderersBytes(profile: number): number {
  const table = execFileSync("ps", ["-A", "-o", "pid=,rss=,args="], { encoding: "utf8" });
  const processes = table.split("\n").map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []);
  const browser = processes.find(([, , , args]) => args?.includes(`profile-${profile} `) && !args.includes("--type="));
  const below = new Set(descendantsOf(Number(browser?.[1])));
  return processes.reduce((sum, [, pid, kilobytes, args]) => sum + (below.has(Number(pid)) && args?.includes("--type=renderer") ? Number(kilobytes) * 1024 : 0), 0);
}
