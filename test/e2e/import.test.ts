/**
 * A model from a hub to a tenant, with workerd killed in the middle of a file: twice, then to its end, and on to a
 * visitor's browser, where it tells what the reference tells. And the ways in which a hub can be wrong.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Api, apiAt } from "../../cli/api.ts";
import { type Deployment, deploy } from "../../bench/support/deployment.ts";
import { manifest, model } from "../../schema/contract/models.ts";
import { type ModelImport, modelImport } from "../../schema/contract/imports.ts";
import { keyCreated, tenant as tenantShape } from "../../schema/contract/tenants.ts";
import { secret } from "../../schema/contract/secrets.ts";
import { policy, quota } from "../../schema/contract/policy.ts";
import { ORT_FILES, ORT_PATH } from "../../client/runtime/ort-files.ts";
import { COMMIT, TestHub } from "../support/hub.ts";
import { expectedOf, smallDecoder, titled } from "../support/real-models.ts";
import { SdkPage, person } from "../support/sdk-page.ts";
import { sdkSite } from "../support/sdk-site.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const MIB = 1024 ** 2;
const tiny = smallDecoder();
const TINY = tiny.folder ?? "";

const read = (path: string) => new Uint8Array(readFileSync(join(TINY, path)));
/** The model, and beside it as much made data as makes it six chunks long: a kill finds it in the middle. */
const data = new Uint8Array(22 * MIB + 5).map((_, at) => (at * 2654435761) >>> 24);

/** An ONNX graph with one initializer that names a file outside of the model as its data. */
const location = [0x0a, 8, ...new TextEncoder().encode("location"), 0x12, 11, ...new TextEncoder().encode("/etc/passwd")];
const initializer = [0x08, 4, 0x10, 1, 0x42, 1, 0x77, 0x6a, location.length, ...location, 0x70, 1];
const outside = new Uint8Array([0x3a, initializer.length + 2, 0x2a, initializer.length, ...initializer]);

const folder = temporaryFolder();
let hub: TestHub;
let deployment: Deployment;
let api: Api;
let key: string;

describe.skipIf(tiny.missing !== null)(titled("an import", tiny), () => {
  beforeAll(async () => {
    const names = readdirSync(TINY).filter((name) => name.endsWith(".json"));
    const files = { ...Object.fromEntries(names.map((name) => [name, read(name)])), "README.md": new Uint8Array(10), "onnx/model.onnx": read("onnx/model.onnx"), "onnx/model.onnx_data": data };
    hub = await TestHub.start({ "karpathy/tinystories": { files, licence: "mit" }, "karpathy/mirrored": { files, isTerse: true }, "karpathy/private": { files: { "config.json": read("config.json"), "onnx/model.onnx": read("onnx/model.onnx") }, token: "hf_secret" }, "karpathy/other": { files: { "config.json": read("config.json"), "onnx/model.onnx": data.slice().reverse() }, pipeline: "text-generation" }, "evil/outside": { files: { "onnx/model.onnx": outside }, pipeline: "text-generation" } });
    deployment = await deploy({ variables: { HF_ENDPOINT: hub.url } });
    const operator = apiAt(deployment.url, deployment.operatorKey);
    await operator.post("/v1/tenants", { id: "acme", name: "Acme" }, tenantShape);
    key = (await operator.post("/v1/tenants/acme/keys", { type: "secret", name: "admin", scopes: ["admin"] }, keyCreated)).key;
    api = apiAt(deployment.url, key);
  });
  afterAll(async () => {
    await deployment.remove();
    await hub.stop();
  });
  beforeEach(() => {
    hub.fault = () => null;
    hub.pause = 0;
    hub.heard.length = 0;
  });

  const begin = (model: string, more: object = {}) => api.post(`/v1/tenants/acme/models/${model}/import`, { source: "hf:karpathy/tinystories", variants: ["fp32"], ...more }, modelImport);
  async function until(id: string, isThat: (now: ModelImport) => boolean, timeoutMs = 90_000): Promise<ModelImport> {
    for (const end = Date.now() + timeoutMs; ; ) {
      const now = await api.get(`/v1/tenants/acme/imports/${id}`, modelImport);
      if (isThat(now)) return now;
      if (Date.now() > end) throw new Error(`the import is still ${JSON.stringify(now)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const ended = (id: string) => until(id, ({ state }) => state !== "queued" && state !== "running");

  test("that is killed twice in the middle of a file goes on where it was, and ends complete", async () => {
    hub.pause = 60;
    const { id, state } = await begin("stories");
    expect(state).toBe("queued");
    for (const bytes of [4 * MIB, 12 * MIB]) {
      const before = await until(id, (now) => now.bytes_done >= bytes);
      expect(before.state).toBe("running");
      await deployment.kill();
      deployment = await deployment.restart();
      api = apiAt(deployment.url, key);
    }
    hub.pause = 0;
    const { state: end, bytes_done, bytes_total, commit, revision, fault } = await ended(id);
    expect({ end, fault, commit, whole: bytes_done === bytes_total }).toEqual({ end: "done", fault: null, commit: COMMIT, whole: true });
    // It went on at a chunk: the data was asked for again from its middle, never twice from its beginning.
    const asked = hub.heard.filter(({ path }) => path.startsWith("/cdn/") && path.endsWith("model.onnx_data")).map(({ range }) => Number(/\d+/.exec(range ?? "")?.[0]));
    expect(asked.filter((from) => from === 0)).toHaveLength(1);
    expect(asked.length).toBeGreaterThanOrEqual(3);

    const made = await api.get("/v1/models/stories/manifest", manifest);
    expect(made).toMatchObject({ revision, task: "text-generation", usage: { measure: "text-tokens" }, licence: "mit", source: `hf:karpathy/tinystories@${COMMIT}` });
    const files = made.variants[0]?.files ?? [];
    expect(files.map(({ path }) => path).sort()).toEqual(["config.json", "generation_config.json", "onnx/model.onnx", "onnx/model.onnx_data", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"]);
    for (const file of files) {
      const wanted = file.path.endsWith("_data") ? data : read(file.path);
      const parts = await Promise.all(file.chunks.map(async ({ sha256 }) => new Uint8Array(await (await api.raw(`/v1/blobs/${sha256}`)).arrayBuffer())));
      expect(createHash("sha256").update(Buffer.concat(parts)).digest("hex")).toBe(createHash("sha256").update(wanted).digest("hex"));
    }
  });

  test("then tells in a browser what the reference tells", async () => {
    await using site = await sdkSite(join(folder.path, "vite"), { path: ORT_PATH, files: ORT_FILES });
    const { key: publishableKey } = await api.post("/v1/tenants/acme/keys", { type: "publishable", name: "page", origins: [site.origin] }, keyCreated);
    const { cases } = JSON.parse(readFileSync(expectedOf("tinystories"), "utf8")) as { cases: { prompt: string; text: string }[] };
    const context = await person(join(folder.path, "profile"));
    try {
      const page = await SdkPage.open(context, `${site.origin}/page`, { publishableKey, baseUrl: deployment.url });
      const loaded = await page.preload("stories");
      expect(loaded).toMatchObject({ cache: "miss", variant: "fp32" });
      for (const { prompt, text } of cases.slice(0, 2)) {
        const told = await page.complete("stories", prompt, 40);
        expect(told).toEqual(expect.stringMatching(/.{60}/s));
        expect(text.slice(prompt.length)).toContain(told);
      }
    } finally {
      await context.close();
    }
  });

  test("of the same model again fetches it again, stores nothing twice, and is the same revision", async () => {
    const before = await api.get("/v1/tenants/acme/quota", quota);
    const first = await api.get("/v1/models/stories/manifest", manifest);
    const { id } = await begin("stories");
    expect(await ended(id)).toMatchObject({ state: "done", revision: first.revision });
    expect((await api.get("/v1/tenants/acme/quota", quota)).storage_bytes).toEqual(before.storage_bytes);
  });

  test("from a mirror that states neither sizes nor digests in its description is as any", async () => {
    const done = await ended((await begin("mirrored", { source: "hf:karpathy/mirrored" })).id);
    expect(done).toMatchObject({ state: "done", fault: null, bytes_total: done.bytes_done });
  });

  test("survives a body that breaks off, a hub that fails and one broken answer", async () => {
    hub.fault = ({ path }, index) => (index === 1 ? 500 : path.startsWith("/cdn/") && path.endsWith(".onnx") ? ([null, "cut", "corrupt"] as const)[hub.heard.filter((one) => one.path === path).length] ?? null : null);
    expect(await ended((await begin("flaky")).id)).toMatchObject({ state: "done", fault: null });
  });

  test("of a file that is not what the hub states ends with that, and publishes nothing", async () => {
    hub.fault = ({ path }) => (path === "/karpathy/tinystories/resolve/" + COMMIT + "/config.json" && hub.heard.length > 2 ? "corrupt" : null);
    expect(await ended((await begin("forged")).id)).toMatchObject({ state: "failed", revision: null, fault: { code: "digest-mismatch" } });
    await expect(api.get("/v1/models/forged/manifest", manifest)).rejects.toThrow();
  });

  test("of a private model needs the tenant's token", async () => {
    const source = { source: "hf:karpathy/private" };
    expect(await ended((await begin("private", source)).id)).toMatchObject({ state: "failed", fault: { code: "source-forbidden" } });
    await api.put("/v1/tenants/acme/secrets/huggingface-token", { value: "hf_secret" }, secret);
    const done = await ended((await begin("private", source)).id);
    expect(done).toMatchObject({ state: "done", fault: null });
    expect(JSON.stringify(done)).not.toContain("hf_secret");
  });

  test("that is cancelled stops, and stays cancelled", async () => {
    hub.pause = 100;
    const { id } = await begin("cancelled");
    await until(id, (now) => now.bytes_done > 0);
    expect((await api.delete(`/v1/tenants/acme/imports/${id}`, modelImport)).state).toBe("cancelled");
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await api.get(`/v1/tenants/acme/imports/${id}`, modelImport)).state).toBe("cancelled");
    await expect(api.get("/v1/models/cancelled/manifest", manifest)).rejects.toThrow();
  });

  test("whose hub drips holds up no other, and is left at once when it is cancelled", async () => {
    hub.fault = ({ path }) => (path.startsWith("/cdn/karpathy/tinystories/") ? "drip" : null);
    const slow = await begin("slow");
    await expect.poll(() => hub.dripping, { timeout: 60_000 }).toBe(1);
    hub.fault = () => null;
    expect(await ended((await begin("beside")).id)).toMatchObject({ state: "done", fault: null });
    expect((await api.get(`/v1/tenants/acme/imports/${slow.id}`, modelImport)).state).toBe("running");
    expect(hub.dripping).toBe(1);
    await api.delete(`/v1/tenants/acme/imports/${slow.id}`, modelImport);
    await expect.poll(() => hub.dripping, { timeout: 10_000 }).toBe(0);
  });

  test("that the tenant has no room for is refused before the first byte is fetched; what is stored already counts as no more", async () => {
    const operator = apiAt(deployment.url, deployment.operatorKey);
    const { storage_bytes } = await api.get("/v1/tenants/acme/quota", quota);
    const limits = (limits: object) => operator.put("/v1/tenants/acme/policy", limits, policy);
    await limits({ storage_bytes: storage_bytes.posted + 8 * MIB });
    hub.heard.length = 0;
    expect(await ended((await begin("full", { source: "hf:karpathy/other" })).id)).toMatchObject({ state: "failed", bytes_done: 0, fault: { code: "model-refused", detail: expect.stringContaining("storage_bytes") } });
    expect(hub.heard.filter(({ path }) => path.includes("onnx"))).toEqual([]);
    expect(await ended((await begin("stories")).id)).toMatchObject({ state: "done" });
    await limits({ model_quota: 0 });
    await expect(begin("refused")).rejects.toThrow("model_quota");
    await limits({});
  });

  test("of a model that names a file outside of itself is refused before it is published", async () => {
    const { state, fault } = await ended((await begin("evil", { source: "hf:evil/outside" })).id);
    expect({ state, fault }).toEqual({ state: "failed", fault: { code: "model-refused", detail: expect.stringContaining("model-external-path") } });
    await expect(api.get("/v1/models/evil/manifest", manifest)).rejects.toThrow();
  });

  test("into the operator's catalogue is as a tenant's: killed and gone on with, under the catalogue's own token, cancelled; then granted", async () => {
    let operator = apiAt(deployment.url, deployment.operatorKey);
    const state = (id: string) => operator.get(`/v1/catalog/imports/${id}`, modelImport);
    const reached = (id: string, isThat: (now: ModelImport) => boolean) => expect.poll(async () => isThat(await state(id)), { timeout: 90_000, interval: 50 }).toBe(true);
    const hasEnded = (id: string) => reached(id, (now) => now.state !== "queued" && now.state !== "running");
    hub.pause = 60;
    const { id } = await operator.post("/v1/catalog/models/shared/import", { source: "hf:karpathy/tinystories", variants: ["fp32"] }, modelImport);
    await reached(id, ({ bytes_done }) => bytes_done >= 8 * MIB);
    await deployment.kill();
    deployment = await deployment.restart();
    [api, operator] = [apiAt(deployment.url, key), apiAt(deployment.url, deployment.operatorKey)];
    hub.pause = 0;
    await hasEnded(id);
    expect(await state(id)).toMatchObject({ state: "done", fault: null });
    await operator.put("/v1/tenants/acme/catalog/shared", {}, model);
    expect(await api.get("/v1/models/shared/manifest", manifest)).toMatchObject({ base: { model: "shared", revision: (await state(id)).revision }, licence: "mit" });

    // The tenant's token is not the catalogue's.
    const from = { source: "hf:karpathy/private", variants: ["fp32"] };
    const refused = await operator.post("/v1/catalog/models/private/import", from, modelImport);
    await hasEnded(refused.id);
    expect(await state(refused.id)).toMatchObject({ state: "failed", fault: { code: "source-forbidden" } });
    await operator.put("/v1/catalog/secrets/huggingface-token", { value: "hf_secret" }, secret);
    const allowed = await operator.post("/v1/catalog/models/private/import", from, modelImport);
    await hasEnded(allowed.id);
    expect(await state(allowed.id)).toMatchObject({ state: "done" });

    hub.pause = 100;
    const cancelled = await operator.post("/v1/catalog/models/cancelled/import", { source: "hf:karpathy/tinystories", variants: ["fp32"] }, modelImport);
    expect((await operator.delete(`/v1/catalog/imports/${cancelled.id}`, modelImport)).state).toBe("cancelled");
    await expect(api.get("/v1/catalog/imports", modelImport)).rejects.toThrow("operator key");
  }, 180_000);

  test("from the command line shows how far it is and prints what it became; one that fails ends with 1 and the reason", async () => {
    const cli = (...args: string[]) =>
      new Promise<{ code: number | string | null; stdout: string; stderr: string }>((resolve) => {
        const env = { ...process.env, LEASEHOLD_KEY: deployment.operatorKey };
        execFile(process.execPath, ["cli/catalog.ts", "import", ...args, "--url", deployment.url], { env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
      });
    const done = await cli("by-cli", "--source", "hf:karpathy/tinystories", "--variants", "fp32", "--licence", "mit");
    expect({ code: done.code, made: modelImport.parse(JSON.parse(done.stdout)) }).toMatchObject({ code: 0, made: { state: "done", model: "by-cli", commit: COMMIT } });
    expect(done.stderr).toMatch(/^queued: 0 of 0 bytes\n/);
    const failed = await cli("missing", "--source", "hf:karpathy/none", "--variants", "fp32");
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("The import failed: The hub answered 404.");
  });

  test("that leads to a private address is refused", async () => {
    hub.fault = ({ path }) => (path.endsWith("config.json") ? { location: "http://169.254.169.254/latest/meta-data" } : null);
    expect(await ended((await begin("guarded")).id)).toMatchObject({ state: "failed", fault: { code: "source-unsafe" } });
  });
});
