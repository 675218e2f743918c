/**
 * Pictures with known text: receipts, drawn by the browser with a typeface that comes with npm, so that they look the
 * same on a machine without fonts.
 *
 * - Only characters of the model's dictionary are written: it has no ö, for one.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, chromium } from "playwright-core";
import { CHROMIUM_ARGS, chromiumPath } from "../chromium.ts";

export interface Receipt {
  readonly width: number;
  readonly height: number;
  /** In pixels; the first line is larger. */
  readonly fontSize: number;
  /** From top to bottom. */
  readonly lines: readonly string[];
}

/** Small: without a GPU, WebGPU is emulated, and takes its time. */
export const SMALL_RECEIPT: Receipt = {
  width: 384,
  height: 256,
  fontSize: 20,
  lines: ["HARBOUR COFFEE", "12 Quay Street", "2 x Flat white 7.60", "Total EUR 7.60", "2026-11-21"],
};

/** A PNG of the receipt. */
export async function drawReceipt(receipt: Receipt): Promise<Buffer> {
  const browser = await chromium.launch({ executablePath: await chromiumPath(), args: CHROMIUM_ARGS });
  try {
    return await drawIn(browser, receipt);
  } finally {
    await browser.close();
  }
}

async function drawIn(browser: Browser, receipt: Receipt): Promise<Buffer> {
  const { width, height, fontSize } = receipt;
  const page = await browser.newPage({ viewport: { width, height }, deviceScaleFactor: 1 });
  await page.setContent(htmlOf(receipt));
  await page.evaluate((font) => document.fonts.load(font), `${fontSize}px Receipt`);
  return page.screenshot({ type: "png" });
}

function htmlOf({ fontSize, lines }: Receipt): string {
  const font = readFileSync(createRequire(import.meta.url).resolve("@fontsource-variable/instrument-sans/files/instrument-sans-latin-wght-normal.woff2"));
  const paragraphs = lines.map((line, index) => `<p class="${index === 0 ? "title" : line.startsWith("Total") ? "total" : ""}">${line}</p>`);
  return `<!doctype html><meta charset="utf-8"><style>
    @font-face { font-family: Receipt; font-weight: 400 700; src: url(data:font/woff2;base64,${font.toString("base64")}); }
    body { margin: 0; width: 100vw; height: 100vh; display: grid; place-items: center; background: #d8d4cc; font: ${fontSize}px/1.9 Receipt; }
    main { width: 73vw; padding: 0.8em 1.2em; background: #fff; box-shadow: 0 0.3em 1em #0003; color: #1b1b1b; }
    p { margin: 0; white-space: pre; }
    .title { font-size: 1.25em; font-weight: 700; }
    .total { font-size: 1.1em; font-weight: 700; }
  </style><main>${paragraphs.join("")}</main>`;
}
