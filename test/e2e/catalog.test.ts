/**
 * The operator's catalogue from its command line to a visitor's browser: published, granted to two tenants, derived from
 * with the tenant's own labels and head, and revoked while pages have it.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { apiAt } from "../../cli/api.ts";
import { type ControlPlane, startControlPlane } from "../../cli/control-plane/start.ts";
import { ORT_FILES, ORT_PATH } from "../../client/runtime/ort-files.ts";
import type { Leasehold as Sdk } from "../../client/sdk/leasehold.ts";
import { manifest, model as modelShape } from "../../schema/contract/models.ts";
import { keyCreated, tenant as tenantShape } from "../../schema/contract/tenants.ts";
import { classifierModel, WORDS } from "../support/small-models.ts";
import { person } from "../support/sdk-page.ts";
import { type SdkSite, sdkSite } from "../support/sdk-site.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

declare global {
  var pages: Record<string, Sdk>;
}

const folder = temporaryFolder();
const run = promisify(execFile);
const TENANTS = [{ id: "acme", region: "auto" }, { id: "globex", region: "eu" }] as const;
type Tenant = (typeof TENANTS)[number]["id"];
const keys: Record<string, { admin: string; site: string }> = {};
let plane: ControlPlane;
let site: SdkSite;
let browser: BrowserContext;
let page: Page;
/** What this page sent a lease with, and whether a proof of its key came along. */
const blobRequests: boolean[] = [];

/** The command, as its user runs it. */
async function catalog<T>(key: string, ...args: string[]): Promise<T> {
  const { stdout } = await run(process.execPath, ["cli/catalog.ts", ...args, "--url", plane.url], { env: { ...process.env, LEASEHOLD_KEY: key } });
  return JSON.parse(stdout) as T;
}
const operate = <T = { revision: string }>(...args: string[]) => catalog<T>(plane.operatorKey, ...args);

function filesIn(name: string, files: Readonly<Record<string, Uint8Array>>): string {
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder.path, name, path)), { recursive: true });
    writeFileSync(join(folder.path, name, path), bytes);
  }
  return join(folder.path, name);
}

const config = (labels: readonly [string, string]) => new TextEncoder().encode(JSON.stringify({ max_position_embeddings: 64, pad_token_id: 0, id2label: { 0: labels[0], 1: labels[1] } }));

/** A head for which "goal" is the second label, and nothing else is anything. */
function ownHead(): Uint8Array {
  const head = new Float32Array((4 + WORDS.length) * 2);
  head[(4 + WORDS.indexOf("goal")) * 2 + 1] = 9;
  return new Uint8Array(head.buffer);
}

/** The label of a text, or the code of why there is none. */
const labelOf = (tenant: Tenant, model: string, input: string) =>
  page.evaluate(
    ({ tenant, model, input }) =>
      globalThis.pages[tenant]?.classify({ model, input: [input] }).then(
        ({ data }) => data[0]?.[0]?.label,
        (error: { code: string }) => error.code,
      ),
    { tenant, model, input },
  );

beforeAll(async () => {
  plane = await startControlPlane({ stateDir: join(folder.path, "state"), port: "any", log: () => undefined });
  site = await sdkSite(join(folder.path, "vite"), { path: ORT_PATH, files: ORT_FILES });
  const operator = apiAt(plane.url, plane.operatorKey);
  for (const { id, region } of TENANTS) {
    await operator.post("/v1/tenants", { id, name: id, region }, tenantShape);
    const { key: admin } = await operator.post(`/v1/tenants/${id}/keys`, { type: "secret", name: "admin", scopes: ["admin", "leases", "read"] }, keyCreated);
    keys[id] = { admin, site: (await operator.post(`/v1/tenants/${id}/keys`, { type: "publishable", name: "site", origins: [site.origin] }, keyCreated)).key };
  }
  browser = await person(join(folder.path, "profile"));
  page = await browser.newPage();
  page.on("request", (request) => {
    if (request.method() === "GET" && request.url().includes("/v1/blobs/")) blobRequests.push("dpop" in request.headers());
  });
  await page.goto(`${site.origin}/page`);
  await page.waitForFunction(() => "Leasehold" in globalThis);
  await page.evaluate(
    ({ keys, baseUrl }) => {
      globalThis.pages = Object.fromEntries(Object.entries(keys).map(([id, { site: publishableKey }]) => [id, new globalThis.Leasehold({ publishableKey, baseUrl, backend: "wasm" } as never) as unknown as Sdk]));
    },
    { keys, baseUrl: plane.url },
  );
});

afterAll(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
  await plane?.stop();
});

test("one base for two tenants: derived by one, run as it is by the other, revoked for both alike", async () => {
  const base = await operate("publish", "moods", "--folder", filesIn("moods", classifierModel()), "--task", "text-classification");
  for (const { id } of TENANTS) await operate("grant", "moods", "--tenant", id);

  // Acme's own: a head for its topic, and labels of its own words.
  const labels = join(filesIn("own", { "config.json": config(["other", "sport"]), "head.bin": ownHead() }));
  const own = [`config.json=${join(labels, "config.json")}`, `onnx/model.onnx:weights=${join(labels, "head.bin")}`] as const;
  const acme = keys.acme?.admin ?? "";
  await catalog(acme, "derive", "topics", "--tenant", "acme", "--base", `moods@${base.revision}`, "--file", own[0], "--tensor", own[1]);

  expect([await labelOf("acme", "topics", "the goal is good"), await labelOf("acme", "topics", "the vote is good"), await labelOf("acme", "moods", "good")]).toEqual(["sport", "other", "POSITIVE"]);
  expect([await labelOf("globex", "moods", "good"), await labelOf("globex", "moods", "bad"), await labelOf("globex", "topics", "goal")]).toEqual(["POSITIVE", "NEGATIVE", "model-not-available"]);
  // Every chunk was asked for with a proof of the page's own key.
  expect([blobRequests.length > 0, blobRequests.every(Boolean)]).toEqual([true, true]);

  // What is Acme's own is nobody else's, whatever Globex asks with.
  const globex = apiAt(plane.url, keys.globex?.admin ?? "");
  const { variants } = await apiAt(plane.url, acme).get("/v1/models/topics/manifest", manifest);
  const shared = new Set((await globex.get("/v1/models/moods/manifest", manifest)).variants.flatMap(({ files }) => files.flatMap(({ chunks }) => chunks.map(({ sha256 }) => sha256))));
  const owned = variants.flatMap(({ files }) => files.flatMap(({ chunks }) => chunks.map(({ sha256 }) => sha256))).filter((digest) => !shared.has(digest));
  expect(owned).toContain(createHash("sha256").update(ownHead()).digest("hex"));
  for (const digest of owned) expect([(await apiAt(plane.url, acme).raw(`/v1/blobs/${digest}`)).status, (await globex.raw(`/v1/blobs/${digest}`)).status]).toEqual([200, 404]);

  // Revoked: no lease, so nothing runs, though all of it is in memory and on the disk.
  for (const { id } of TENANTS) await operate("revoke", "moods", "--tenant", id);
  expect(await operate<unknown[]>("grants", "moods")).toEqual([]);
  const before = blobRequests.length;
  for (const [tenant, model] of [["acme", "moods"], ["acme", "topics"], ["globex", "moods"]] as const) {
    await expect.poll(() => labelOf(tenant, model, "good"), { timeout: 30_000 }).toBe("model-not-available");
    await page.evaluate(({ tenant, model }) => globalThis.pages[tenant]?.models.unload(model), { tenant, model });
    expect(await labelOf(tenant, model, "good")).toBe("model-not-available");
  }
  expect(blobRequests.length).toBe(before);

  // Granted again, both go on with what is on their disks.
  for (const { id } of TENANTS) await operate("grant", "moods", "--tenant", id);
  expect([await labelOf("acme", "topics", "goal"), await labelOf("globex", "moods", "bad")]).toEqual(["sport", "NEGATIVE"]);
  expect(blobRequests.length).toBe(before);
}, 180_000);

test("a fix of the base reaches who follows without another grant, and a rollback takes it back", async () => {
  const first = (await operate<{ revision: string }[]>("revisions", "moods"))[0]?.revision;
  const swapped = await operate("publish", "moods", "--folder", filesIn("fixed", { ...classifierModel(), "config.json": config(["SAD", "GLAD"]) }), "--task", "text-classification");
  await expect.poll(() => labelOf("globex", "moods", "good"), { timeout: 60_000 }).toBe("GLAD");
  expect(await labelOf("acme", "topics", "goal")).toBe("sport");
  const holders = await operate<{ tenant: string; revision: string; follows: boolean }[]>("grants", "moods");
  expect(holders.filter(({ revision }) => revision === swapped.revision).map(({ tenant, follows }) => [tenant, follows])).toEqual([["acme", true], ["globex", true]]);
  expect((await operate("rollback", "moods")).revision).toBe(first);
  await expect.poll(() => labelOf("globex", "moods", "good"), { timeout: 60_000 }).toBe("POSITIVE");
}, 180_000);

test("a wrong command says what is right, and a refusal says why", async () => {
  const failing = (...args: string[]) => operate(...args).then(() => null, (error: { code: number; stderr: string }) => [error.code, error.stderr]);
  expect(await failing("grant", "moods")).toEqual([2, expect.stringContaining("--tenant")]);
  expect(await failing("fly")).toEqual([2, expect.stringContaining("npm run catalog")]);
  expect(await failing("grant", "nothing", "--tenant", "acme")).toEqual([1, expect.stringContaining("no such model")]);
  await expect(catalog(keys.acme?.admin ?? "", "models")).rejects.toThrow("operator key");
  expect(await apiAt(plane.url, plane.operatorKey).put("/v1/tenants/acme/catalog/moods", {}, modelShape)).toMatchObject({ id: "moods" });
}, 60_000);
