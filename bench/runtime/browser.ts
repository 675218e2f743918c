/** A Chromium with the bench's page in it, and the most memory that the page's process ever had. */
import { readFileSync } from "node:fs";
import { chromium, type Browser, type Page } from "playwright-core";
import { CHROMIUM_ARGS, chromiumPath } from "../../cli/chromium.ts";
import type { PromptAsk } from "./page/page.ts";
import type { Generated } from "./page/contestants.ts";

/** A slow engine reads 1,024 tokens in half a minute, beside other work in several. */
const PATIENCE_MS = 300_000;

export interface BenchBrowser {
  load(name: string): Promise<{ note: string; ms: number }>;
  generate(name: string, prompt: PromptAsk, count: number): Promise<Generated>;
  loadEmbedder(name: string): Promise<string>;
  embed(name: string, batch: number): Promise<number>;
  /** Bytes; `null` where this system doesn't tell. */
  peakMemory(): Promise<number | null>;
  close(): Promise<void>;
}

/** `isEmulated`: WebGPU runs on SwiftShader, else on the machine's own adapter. */
export async function openBrowser(origin: string, isEmulated: boolean): Promise<BenchBrowser> {
  const args = CHROMIUM_ARGS.filter((arg) => isEmulated || !arg.startsWith("--use-webgpu-adapter="));
  const browser = await chromium.launch({ executablePath: await chromiumPath(), args });
  const page = await browser.newPage();
  page.on("crash", () => console.error("the page has crashed"));
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(new URL("bench/runtime/page/", origin).href);
  await page.waitForFunction(() => globalThis.bench !== undefined);
  const within = <T>(what: string, work: Promise<T>): Promise<T> => orTooLong(what, work);
  return {
    load: (name) => within(`loading ${name}`, page.evaluate((asked) => globalThis.bench?.load(asked) ?? Promise.reject(new Error("the page is gone")), name)),
    generate: (name, prompt, count) => within(name, evaluateGenerate(page, { name, prompt, count })),
    loadEmbedder: (name) => within(`loading ${name}`, page.evaluate((asked) => globalThis.bench?.loadEmbedder(asked) ?? Promise.reject(new Error("the page is gone")), name)),
    embed: (name, batch) => within(name, page.evaluate((ask) => globalThis.bench?.embed(ask.name, ask.batch) ?? Promise.reject(new Error("the page is gone")), { name, batch })),
    peakMemory: () => peakMemory(browser),
    close: () => browser.close(),
  };
}

const evaluateGenerate = (page: Page, asked: { name: string; prompt: PromptAsk; count: number }): Promise<Generated> =>
  page.evaluate((ask) => globalThis.bench?.generate(ask.name, ask.prompt, ask.count) ?? Promise.reject(new Error("the page is gone")), asked);

async function orTooLong<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${PATIENCE_MS / 1000} seconds`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function peakMemory(browser: Browser): Promise<number | null> {
  if (process.platform !== "linux") return null;
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const peaks = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? 0) * 1024);
  return Math.max(...peaks);
}
