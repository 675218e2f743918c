/**
 * The npm package, packed and unpacked: its parts are imported in Node, its types compile, and a page that is built on
 * it with React and the AI SDK runs against a real control plane.
 */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { quota } from "../../schema/contract/policy.ts";
import { keyCreated, tenant, tenantCreate } from "../../schema/contract/tenants.ts";
import { type Api, apiAt } from "../../cli/api.ts";
import { eventually } from "../../cli/check/report.ts";
import { type ControlPlane, startControlPlane } from "../../cli/control-plane/start.ts";
import { publishModel } from "../../cli/publish.ts";
import { ROOT } from "../../cli/root.ts";
import { ORT_FILES } from "../../client/runtime/ort-files.ts";
import { Project } from "../support/packed.ts";
import { type PageServer, servePages } from "../support/page-server.ts";
import { smallDecoder, titled } from "../support/real-models.ts";
import { person } from "../support/sdk-page.ts";
import { SHOP_HTML, SHOP_PAGE } from "../support/shop-page.ts";
import { embeddingModel } from "../support/small-models.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let project: Project;

beforeAll(() => {
  project = new Project(join(folder.path, "project"), ["zod", "react", "react-dom", "@types/react", "ai", "@ai-sdk/provider"]);
});

describe("the package", () => {
  test("is imported in Node, each part by its name, and does nothing there yet", () => {
    project.write("imports.mjs", 'const parts = await Promise.all(["leasehold", "leasehold/react", "leasehold/ai-sdk"].map((name) => import(name)));\nconsole.log(JSON.stringify(parts.map((part) => Object.keys(part).sort())));');
    expect(JSON.parse(project.run(process.execPath, ["imports.mjs"]))).toEqual([["CLIENT_CODES", "Leasehold", "LeaseholdError"], ["useChat"], ["leaseholdModels"]]);
  });

  test("needs React only where React's part is imported", () => {
    const { dependencies, peerDependenciesMeta } = JSON.parse(readFileSync(join(project.path, "node_modules/leasehold/package.json"), "utf8")) as { dependencies: object; peerDependenciesMeta: Record<string, { optional: boolean }> };
    expect(Object.keys(dependencies)).toEqual(["zod"]);
    expect(peerDependenciesMeta).toMatchObject({ react: { optional: true }, "@ai-sdk/provider": { optional: true } });
    for (const part of ["leasehold", "ai-sdk"]) expect(importsOf(part)).not.toContain("react");
  });

  test("brings the engine's files, and parts of a few kilobytes", () => {
    const at = (name: string) => join(project.path, "node_modules/leasehold/dist/package", name);
    for (const { name } of ORT_FILES) expect(statSync(at(`engine/${name}`)).size).toBeGreaterThan(10_000);
    expect(gzipSync(readFileSync(at("react.js"))).length).toBeLessThan(1536);
    expect(gzipSync(readFileSync(at("ai-sdk.js"))).length).toBeLessThan(4096);
  });

  test("tells the licences of all that is in it and not its own", () => {
    const root = join(project.path, "node_modules/leasehold");
    const notices = readFileSync(join(root, "dist/package/third-party-notices.txt"), "utf8");
    expect(notices.match(/^\S+ [\d.]+ \(.+\)$/gm)?.map((line) => line.replace(/ [\d.]+ /, " "))).toEqual(["@huggingface/jinja (MIT)", "@huggingface/tokenizers (Apache-2.0)", "idb (ISC)", "onnxruntime-common (MIT)", "onnxruntime-web (MIT)"]);
    expect(notices).toContain("Permission is hereby granted");
    for (const name of ["LICENSE", "README.md"]) expect(statSync(join(root, name)).size).toBeGreaterThan(1000);
  });

  test.each([["bundler", "ESNext"], ["nodenext", "NodeNext"]])("brings types that a project compiles against (%s)", (moduleResolution, module) => {
    project.write("page.ts", SHOP_PAGE);
    project.write("react-dom.d.ts", 'declare module "react-dom/client" { export function createRoot(at: Element): { render(what: unknown): void } }');
    const compilerOptions = { strict: true, noEmit: true, target: "ES2023", module, moduleResolution, lib: ["ES2023", "DOM", "DOM.Iterable"], types: [], skipLibCheck: true };
    project.write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["page.ts", "react-dom.d.ts"] }));
    project.run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "."]);
  });
});

const small = smallDecoder();

describe.skipIf(small.missing !== null)(titled("a page built on the package", small), () => {
  let plane: ControlPlane;
  let server: PageServer;
  let browser: BrowserContext;
  let page: Page;
  let admin: Api;

  beforeAll(async () => {
    project.write("page.ts", SHOP_PAGE);
    project.write("index.html", SHOP_HTML);
    await project.bundle();
    server = await servePages({ "/engine/": join(project.path, "node_modules/leasehold/dist/package/engine"), "/": join(project.path, "dist") });
    plane = await startControlPlane({ stateDir: join(folder.path, "state"), port: "any", log: () => undefined });
    const operator = apiAt(plane.url, plane.operatorKey);
    await operator.post("/v1/tenants", tenantCreate.parse({ id: "shop", name: "Shop", policy: { daily_token_limit: 100_000, tokens_per_minute: 100_000 } }), tenant);
    const { key } = await operator.post("/v1/tenants/shop/keys", { type: "secret", name: "admin", scopes: ["admin", "read"] }, keyCreated);
    admin = apiAt(plane.url, key);
    const prices = { input_nanos_per_token: 1, output_nanos_per_token: 2 };
    const stories = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"].map((path) => ({ path, source: join(small.folder ?? "", path) }));
    const template = join(folder.path, "chat_template.jinja");
    writeFileSync(template, "{{ bos_token }}{% for message in messages %}{{ message.content }}{% endfor %}{% if tools %}{# <tool_call> #}{% endif %}");
    await publishModel(admin, "shop", "stories", { task: "text-generation", usage: { measure: "text-tokens" }, prices, variants: [{ id: "fp32", files: [...stories, { path: "chat_template.jinja", source: template }] }] });
    const words = Object.entries(embeddingModel()).map(([path, bytes]) => {
      const source = join(folder.path, "words", path);
      mkdirSync(dirname(source), { recursive: true });
      writeFileSync(source, bytes);
      return { path, source };
    });
    await publishModel(admin, "shop", "words", { task: "feature-extraction", usage: { measure: "text-tokens" }, prices, variants: [{ id: "fp32", files: words }] });
    const { key: publishableKey } = await admin.post("/v1/tenants/shop/keys", { type: "publishable", name: "page", origins: [server.origin] }, keyCreated);

    browser = await person(join(folder.path, "profile"));
    page = await browser.newPage();
    await page.goto(`${server.origin}/`);
    await page.waitForFunction(() => "start" in globalThis);
    await page.evaluate((options) => {
      const scope = globalThis as unknown as { start(options: object): Shop; shop: Shop };
      scope.shop = scope.start(options);
    }, { baseUrl: plane.url, publishableKey, backend: "wasm", engineUrl: "/engine" });
  });

  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
    await plane?.stop();
  });

  const call = <Name extends keyof Shop>(name: Name, ...args: Parameters<Shop[Name]>): ReturnType<Shop[Name]> =>
    page.evaluate(({ name, args }) => (globalThis as unknown as { shop: Record<string, (...args: unknown[]) => unknown> }).shop[name]?.(...args), { name, args: args as unknown[] }) as ReturnType<Shop[Name]>;

  test("React's hook shows the answer as it comes", async () => {
    await page.click("button");
    const output = page.locator("output");
    await expect.poll(() => output.getAttribute("data-answering"), { timeout: 60_000 }).toBe("false");
    expect(await output.textContent()).toMatch(/^user:Once upon a time\|assistant:, there was/);
    expect(await output.getAttribute("data-error")).toBeNull();
  });

  test("generateText and streamText tell the same story, and both are paid for", async () => {
    const before = await admin.get("/v1/tenants/shop/quota", quota);
    const whole = await call("text", "Once upon a time");
    expect(whole).toMatchObject({ finishReason: "length", output: 16, leases: [expect.stringMatching(/^ls_/)] });
    const streamed = await call("stream", "Once upon a time");
    expect(streamed).toMatchObject({ output: 16, finishReason: "length" });
    expect(streamed.pieces.length).toBeGreaterThan(1); // a frame's text at a time
    expect(streamed.pieces.join("")).toBe(whole.text);
    const { daily_token_limit: after } = await eventually(() => admin.get("/v1/tenants/shop/quota", quota), ({ daily_token_limit: { held } }) => held === 0);
    expect(after.posted - before.daily_token_limit.posted).toBe(2 * ((whole.input ?? 0) + 16));
  });

  test("an object is of its schema, and a tool is called with what its schema says and told on", async () => {
    const { output, finishReason } = await call("object");
    expect(finishReason).toBe("stop");
    expect(output).toEqual({ name: expect.any(String), isOpen: expect.any(Boolean) });
    const { asked, steps } = await call("tool");
    expect(asked).toEqual([{ name: expect.any(String), isOpen: expect.any(Boolean) }]);
    expect(steps).toMatchObject([{ finishReason: "tool-calls", results: ["It is around the corner."] }, { hasText: true, results: [] }]);
  });

  test("generateObject holds a model to what zod checks", async () => {
    const { object, finishReason } = await call("contact");
    expect(finishReason).toBe("stop"); // the AI SDK has let zod check it
    expect(object).toEqual({ mail: expect.stringMatching(/^.+@.+\..+$/), since: expect.stringMatching(/^\d{4}-\d\d-\d\d$/), kind: expect.stringMatching(/^(shop|person)$/) });
  });

  test("embed embeds a text, embedMany each", async () => {
    const one = await call("embedOne", "paris");
    expect(one.tokens).toBe(3);
    const { embeddings, tokens } = await call("embed", ["paris", "anna", "paris"]);
    expect(embeddings).toHaveLength(3);
    expect(embeddings[0]).toEqual(one.numbers);
    expect(embeddings[0]).toEqual(embeddings[2]);
    expect(embeddings[0]).not.toEqual(embeddings[1]);
    expect(tokens).toBe(9);
  });

  test("a stop ends the stream and the call as the AI SDK knows it; a refusal has its code", async () => {
    expect(await call("abort")).toMatchObject({ last: "abort", whole: { name: expect.stringMatching(/^(AbortError|TimeoutError)$/) } });
    expect(await call("refusals")).toEqual({
      none: { name: "LeaseholdError", code: "model-not-available", isOurs: true },
      long: { name: "LeaseholdError", code: "context-length-exceeded", isOurs: true },
      streamed: { name: "LeaseholdError", code: "context-length-exceeded", isOurs: true },
    });
    expect(await call("text", "Once upon a time")).toMatchObject({ output: 16 });
  });
});

/** Of the page's calls, what the tests look at (`SHOP_PAGE` is compiled in its own project). */
interface Shop {
  text(prompt: string): Promise<{ text: string; finishReason: string; input?: number; output?: number; leases: unknown }>;
  stream(prompt: string): Promise<{ pieces: string[]; output?: number; finishReason: string }>;
  object(): Promise<{ output: unknown; finishReason: string }>;
  tool(): Promise<{ asked: unknown[]; steps: unknown[] }>;
  contact(): Promise<{ object: unknown; finishReason: string }>;
  embedOne(value: string): Promise<{ numbers: number[]; tokens: number }>;
  embed(values: string[]): Promise<{ embeddings: number[][]; tokens: number }>;
  abort(): Promise<unknown>;
  refusals(): Promise<unknown>;
}

function importsOf(part: string): string[] {
  const text = readFileSync(join(project.path, `node_modules/leasehold/dist/package/${part}.js`), "utf8");
  return [...text.matchAll(/from "([^"]+)"/g)].map(([, name]) => name ?? "");
}
