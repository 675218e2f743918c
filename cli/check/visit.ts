/**
 * One visit of a person to a tenant's site: a browser with the person's profile, the page, a picture put into the
 * widget, and what the widget then shows and tells the page.
 */
import { type BrowserContext, type FrameLocator, type Page, chromium } from "playwright-core";
import { CHROMIUM_ARGS, chromiumPath } from "../chromium.ts";

export interface Reading {
  /** As the widget shows it. */
  readonly text: string;
  /** What the engine chip says: `webgpu` or `wasm`. */
  readonly backend: string | null;
  /** As the page is told. */
  readonly told: { readonly text: string; readonly usage: { readonly input_tokens: number; readonly output_tokens: number }; readonly cache: string; readonly reason: string; readonly lease_id: string };
}

export interface Refused {
  readonly code: string | null;
  readonly words: string;
  readonly resets: string | null;
}

export interface Visit {
  /** Bytes of weights that the browser has fetched from the operator. */
  readonly weightBytes: () => number;
  read(picture: Buffer): Promise<Reading>;
  readRefused(picture: Buffer): Promise<Refused>;
  readonly page: Page;
  leave(): Promise<void>;
}

/** Emulated WebGPU on a busy machine needs a minute. */
const READ_MS = 240_000;

export async function visit(siteUrl: string, profileDir: string): Promise<Visit> {
  const context = await chromium.launchPersistentContext(profileDir, {
    executablePath: await chromiumPath(),
    args: CHROMIUM_ARGS,
    viewport: { width: 1280, height: 900 },
    timezoneId: "UTC",
    locale: "en-GB",
  });
  const weightBytes = countWeights(context);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  const explained = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      const shown = await page.locator("leasehold-widget").evaluate((widget) => widget.outerHTML).catch(() => "no widget");
      throw new Error([(error as Error).message, `widget: ${shown}`, ...faults.map((fault) => `console: ${fault}`)].join("\n"), { cause: error });
    }
  };

  await page.goto(siteUrl);
  const frame = page.frameLocator("leasehold-widget iframe");
  return {
    page,
    weightBytes,
    read: (picture) => explained(read(page, frame, picture)),
    readRefused: (picture) => explained(readRefused(frame, picture)),
    leave: () => context.close(),
  };
}

async function read(page: Page, frame: FrameLocator, picture: Buffer): Promise<Reading> {
  const told = page.evaluate(
    () => new Promise((resolve) => addEventListener("leasehold:result", (event) => resolve((event as CustomEvent).detail), { once: true })),
  ) as Promise<Reading["told"]>;
  told.catch(() => undefined); // of use only once the widget shows a text
  await choose(frame, picture);
  const text = frame.getByTestId("result-text");
  const failure = frame.getByTestId("error");
  await text.or(failure).waitFor({ timeout: READ_MS });
  if (await failure.isVisible()) throw new Error(`The widget shows an error: ${await failure.innerText()}`);
  return { text: (await text.textContent()) ?? "", backend: await frame.getByTestId("engine").getAttribute("data-backend"), told: await told };
}

async function readRefused(frame: FrameLocator, picture: Buffer): Promise<Refused> {
  await choose(frame, picture);
  const failure = frame.getByTestId("error");
  await failure.or(frame.getByTestId("result-text")).waitFor({ timeout: READ_MS });
  const time = failure.locator("time");
  return {
    code: await failure.getAttribute("data-code"),
    words: await failure.innerText(),
    resets: (await time.count()) > 0 ? await time.getAttribute("datetime") : null,
  };
}

const choose = (frame: FrameLocator, picture: Buffer) => frame.getByTestId("file-input").setInputFiles({ name: "receipt.png", mimeType: "image/png", buffer: picture });

function countWeights(context: BrowserContext): () => number {
  let bytes = 0;
  context.on("response", (response) => {
    if (new URL(response.url()).pathname.startsWith("/v1/blobs/") && response.ok()) bytes += Number(response.headers()["content-length"] ?? 0);
  });
  return () => bytes;
}
