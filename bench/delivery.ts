/**
 * `npm run bench:delivery`: what it costs to bring a model to a browser, in one Chromium, with a control plane on this
 * machine. Cold: a person who has never been there. Warm: the same person's next page. Each to the first text read, with
 * the weights kept encrypted against the same kept plain; then what an update fetches against the whole; then the cache
 * alone, with a model of 100 MB: from the disk to bytes that are opened, verified and read.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext } from "playwright-core";
import { apiAt } from "../cli/api.ts";
import { SMALL_RECEIPT, drawReceipt } from "../cli/check/receipt.ts";
import { startControlPlane } from "../cli/control-plane/start.ts";
import { ocrPublication } from "../cli/demo/ocr-model.ts";
import { publishModel } from "../cli/publish.ts";
import { ORT_FILES, ORT_PATH } from "../client/runtime/ort-files.ts";
import { keyCreated, tenant as tenantShape, tenantCreate } from "../schema/contract/tenants.ts";
import { person, SdkPage } from "../test/support/sdk-page.ts";
import { sdkSite } from "../test/support/sdk-site.ts";
import { type Measure, publish, summarize } from "./support/results.ts";

const REPEATS = Number(process.env["BENCH_REPEATS"] ?? 5);
const MODES = ["encrypted", "plain"] as const;
type Mode = (typeof MODES)[number];
const CACHE_MEGABYTES = 100;

/** A model of random bytes, stored in both ways; `openCached` opens, verifies and reads all of it. */
const cacheScript = `
import { fetchModel } from "/client/cache/fetch-model.ts";
import { openModelStore } from "/client/cache/model-store.ts";
import { importContentKey } from "/client/cache/seal.ts";
import { sha256Hex } from "/client/cache/digest.ts";
const bytes = new Map();
for (let at = 0; at < ${CACHE_MEGABYTES / 4}; at++) {
  const chunk = new Uint8Array(4_000_000);
  for (let from = 0; from < chunk.length; from += 62_500) crypto.getRandomValues(chunk.subarray(from, from + 62_500));
  bytes.set(await sha256Hex(chunk), chunk);
}
const chunks = [...bytes.keys()].map((sha256) => ({ sha256, size: 4_000_000 }));
const variant = { id: "all", requires: {}, files: [{ path: "model.onnx", size: chunks.length * 4_000_000, sha256: "", chunks }] };
const keepings = { encrypted: { mode: "encrypted", key: await importContentKey("k".repeat(43)) }, plain: { mode: "plain" } };
async function open(mode, fetchChunk) {
  const store = await openModelStore("cache-" + mode);
  const { files } = await fetchModel({ manifest: { model: "made" }, variant, store, keeping: keepings[mode], fetchChunk });
  await files[0].blob.arrayBuffer();
  store.close();
}
for (const mode of ["encrypted", "plain"]) await open(mode, async ({ sha256 }) => bytes.get(sha256).slice());
bytes.clear();
globalThis.openCached = async (mode) => {
  const began = performance.now();
  await open(mode, () => Promise.reject(new Error("not cached")));
  return performance.now() - began;
};
`;

declare global {
  var openCached: (mode: Mode) => Promise<number>;
}

const samples = new Map<string, number[]>();
const of = (name: string) => samples.get(name) ?? [];
function note(name: string, value: number): void {
  samples.set(name, [...of(name), value]);
  console.error(`${name}: ${value.toFixed(1)}`);
}

const home = await mkdtemp(join(tmpdir(), "leasehold-delivery-"));
const plane = await startControlPlane({ stateDir: join(home, "state"), port: "any", log: () => undefined });
const site = await sdkSite(join(home, "vite"), { path: ORT_PATH, files: ORT_FILES });
try {
  const receipt = await drawReceipt(SMALL_RECEIPT);
  const tenants = { encrypted: await tenantFor("encrypted"), plain: await tenantFor("plain") };
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const mode of repeat % 2 === 0 ? MODES : MODES.toReversed()) {
      await withPerson(`${mode}-${repeat}`, async (context) => {
        for (const start of ["cold start", "warm start"]) note(`${start}, ${mode}`, await timeToText(context, tenants[mode].publishable, receipt));
      });
    }
  }

  await withPerson("update", async (context) => {
    const bytes = countWeights(context);
    await timeToText(context, tenants.encrypted.publishable, receipt);
    note("whole model", bytes());
    await publishOcr("encrypted", tenants.encrypted.admin, await otherDictionary());
    const before = bytes();
    await timeToText(context, tenants.encrypted.publishable, receipt);
    note("update", bytes() - before);
  });

  await withPerson("cache", async (context) => {
    const page = await context.newPage();
    await page.goto(`${site.origin}/page`);
    await page.addScriptTag({ type: "module", content: cacheScript });
    await page.waitForFunction(() => "openCached" in globalThis, undefined, { timeout: 60_000 });
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      for (const mode of repeat % 2 === 0 ? MODES : MODES.toReversed()) note(`cache alone, ${mode}`, await page.evaluate((how) => globalThis.openCached(how), mode));
    }
  });

  const compared = (name: string): Measure[] => [
    summarize(`${name}, plain`, "ms", of(`${name}, plain`)),
    summarize(`${name}, encrypted`, "ms", of(`${name}, encrypted`), { peer: "plain", samples: of(`${name}, plain`) }),
  ];
  await publish("delivery", [...["cold start", "warm start", "cache alone"].flatMap(compared), summarize("update", "bytes", of("update"), { peer: "whole model", samples: of("whole model") })]);
} finally {
  await site[Symbol.asyncDispose]();
  await plane.stop();
  await rm(home, { recursive: true, force: true });
}

async function tenantFor(mode: Mode): Promise<{ readonly admin: string; readonly publishable: string }> {
  const operator = apiAt(plane.url, plane.operatorKey);
  await operator.post("/v1/tenants", tenantCreate.parse({ id: mode, name: mode }), tenantShape);
  const { key: admin } = await operator.post(`/v1/tenants/${mode}/keys`, { type: "secret", name: "admin", scopes: ["admin"] }, keyCreated);
  const { key } = await apiAt(plane.url, admin).post(`/v1/tenants/${mode}/keys`, { type: "publishable", name: "site", origins: [site.origin] }, keyCreated);
  await publishOcr(mode, admin);
  return { admin, publishable: key };
}

async function publishOcr(mode: Mode, admin: string, dictionary?: string): Promise<void> {
  const publication = ocrPublication({ input_nanos_per_token: 10, output_nanos_per_token: 10 });
  const variants = publication.variants.map((variant) => ({
    ...variant,
    files: variant.files.map((file) => (dictionary !== undefined && file.path === "keys.txt" ? { ...file, source: dictionary } : file)),
  }));
  await publishModel(apiAt(plane.url, admin), mode, "ocr", { ...publication, cache: mode, variants });
}

/** As good, and another file: two signs that no receipt has change places. */
async function otherDictionary(): Promise<string> {
  const file = ocrPublication({ input_nanos_per_token: 10, output_nanos_per_token: 10 }).variants[0]?.files.find(({ path }) => path === "keys.txt");
  const [one, two, ...rest] = (await readFile(file?.source ?? "", "utf8")).split("\n");
  const path = join(home, "keys.txt");
  await writeFile(path, [two, one, ...rest].join("\n"));
  return path;
}

async function withPerson(name: string, work: (context: BrowserContext) => Promise<void>): Promise<void> {
  const context = await person(join(home, `profile-${name}`));
  try {
    await work(context);
  } finally {
    await context.close();
  }
}

/** From the SDK's first line to the text of the picture, in a page of its own. */
async function timeToText(context: BrowserContext, publishableKey: string, receipt: Buffer): Promise<number> {
  const visit = await SdkPage.open(context, `${site.origin}/page`, { publishableKey, baseUrl: plane.url });
  const began = performance.now();
  const text = await visit.read("ocr", receipt);
  const took = performance.now() - began;
  if (text !== SMALL_RECEIPT.lines.join("\n")) throw new Error(`The receipt was not read: ${JSON.stringify(text)}`);
  await visit.page.close();
  return took;
}

function countWeights(context: BrowserContext): () => number {
  let bytes = 0;
  context.on("response", (response) => {
    if (new URL(response.url()).pathname.startsWith("/v1/blobs/") && response.ok()) bytes += Number(response.headers()["content-length"] ?? 0);
  });
  return () => bytes;
}
