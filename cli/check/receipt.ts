/**
 * A picture with known text: a receipt, drawn by the browser with a typeface that comes with npm, so that it looks the
 * same on a machine without fonts.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser } from "playwright-core";

/** Small: without a GPU, WebGPU is emulated, and takes its time. */
export const RECEIPT_WIDTH = 384;
export const RECEIPT_HEIGHT = 256;

/** From top to bottom. Only characters of the model's dictionary: it has no ö, for one. */
export const RECEIPT_LINES = ["HARBOUR COFFEE", "12 Quay Street", "2 x Flat white 7.60", "Total EUR 7.60", "2026-11-21"] as const;

export async function drawReceipt(browser: Browser): Promise<Buffer> {
  const page = await browser.newPage({ viewport: { width: RECEIPT_WIDTH, height: RECEIPT_HEIGHT }, deviceScaleFactor: 1 });
  try {
    await page.setContent(receiptHtml());
    await page.evaluate(() => document.fonts.load("20px Receipt"));
    return await page.screenshot({ type: "png" });
  } finally {
    await page.close();
  }
}

function receiptHtml(): string {
  const font = readFileSync(createRequire(import.meta.url).resolve("@fontsource-variable/instrument-sans/files/instrument-sans-latin-wght-normal.woff2"));
  const lines = RECEIPT_LINES.map((line, index) => `<p class="${index === 0 ? "title" : line.startsWith("Total") ? "total" : ""}">${line}</p>`);
  return `<!doctype html><meta charset="utf-8"><style>
    @font-face { font-family: Receipt; font-weight: 400 700; src: url(data:font/woff2;base64,${font.toString("base64")}); }
    body { margin: 0; width: 100vw; height: 100vh; display: grid; place-items: center; background: #d8d4cc; }
    main { width: 280px; padding: 16px 24px; background: #fff; box-shadow: 0 6px 20px #0003; font: 20px/1.9 Receipt; color: #1b1b1b; }
    p { margin: 0; white-space: pre; }
    .title { font-size: 25px; font-weight: 700; }
    .total { font-size: 22px; font-weight: 700; }
  </style><main>${lines.join("")}</main>`;
}
