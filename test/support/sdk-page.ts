/** The SDK in a page of a real Chromium, driven from here. */
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { CHROMIUM_ARGS, chromiumPath } from "../../cli/chromium.ts";

export interface Loaded {
  readonly variant: string;
  readonly backend: string;
  readonly cache: "hit" | "miss";
  readonly fetchedBytes: number;
  readonly cachedBytes: number;
}

export interface Told {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number | null;
}

interface PageSdk {
  readonly models: {
    preload(model: string, caller?: { onProgress?: (progress: Told & { stage: string }) => void }): Promise<Loaded>;
    load(model: string, options?: { pin?: boolean }): Promise<Loaded>;
    unload(model: string): Promise<void>;
    list(): readonly { readonly model: string }[];
  };
  run(request: { model: string; inputs: object }): Promise<Readonly<Record<string, { readonly data: ArrayLike<unknown> }>>>;
  readonly ocr: { read(request: { model: string; image: Blob }): Promise<{ readonly blocks: readonly { readonly text: string }[] }> };
  readonly completions: { create(request: { model: string; prompt: string; max_tokens: number }): Promise<{ readonly choices: readonly { readonly text: string }[] }> };
  readonly offline: {
    prepare(plan: { model: string; tokens: number }): Promise<OfflineLease>;
    list(): Promise<readonly OfflineLease[]>;
    end(model: string): Promise<void>;
  };
  on(event: "update" | "update-failed", listener: (event: unknown) => void): void;
  close(): Promise<void>;
}

/** What came of an update that went on beside the calls. */
export interface Updated {
  readonly model: string;
  readonly fetchedBytes?: number;
  readonly cachedBytes?: number;
  /** Where it failed. */
  readonly error?: { readonly code: string };
}

export interface OfflineLease {
  readonly lease_id: string;
  readonly tokens: number;
  readonly unsent: number;
}

declare global {
  /** The page's own script sets it. */
  var Leasehold: new (options: unknown) => PageSdk;
  var sdks: Record<string, PageSdk>;
  var told: Told[];
  var updates: Updated[];
}

export interface SdkOptions {
  readonly publishableKey: string;
  readonly baseUrl: string;
  readonly pool?: { readonly budgetBytes: number };
  /** Default: "wasm". */
  readonly backend?: "auto";
}

/** A person with a profile of their own. */
export async function person(profileDir: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(profileDir, { executablePath: await chromiumPath(), args: CHROMIUM_ARGS });
}

/** What a call came to: its value, or the code of its error. */
type Ended<T> = T | { readonly code: string };

export class SdkPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  static async open(context: BrowserContext, url: string, options: SdkOptions, name = "main"): Promise<SdkPage> {
    const page = await context.newPage();
    await page.goto(url);
    const opened = new SdkPage(page);
    await opened.addSdk(options, name);
    return opened;
  }

  async addSdk(options: SdkOptions, name: string): Promise<void> {
    await this.page.waitForFunction(() => "Leasehold" in globalThis);
    await this.page.evaluate(
      ({ options, name }) => {
        globalThis.told = [];
        globalThis.updates ??= [];
        const sdk = new globalThis.Leasehold({ backend: "wasm", ...options });
        sdk.on("update", (update) => globalThis.updates.push(update as Updated));
        sdk.on("update-failed", (failure) => globalThis.updates.push({ ...(failure as Updated), error: { code: (failure as Required<Updated>).error.code } }));
        globalThis.sdks = { ...globalThis.sdks, [name]: sdk };
      },
      { options, name },
    );
  }

  preload(model: string, name = "main"): Promise<Ended<Loaded>> {
    return this.page.evaluate(
      ({ model, name }) =>
        globalThis.sdks[name]?.models.preload(model, { onProgress: (progress) => progress.stage === "downloading" && globalThis.told.push(progress) }).catch((error: { code: string }) => ({ code: error.code })),
      { model, name },
    ) as Promise<Ended<Loaded>>;
  }

  /** The text of a picture, line by line. */
  read(model: string, picture: Buffer, name = "main"): Promise<Ended<string>> {
    return this.page.evaluate(
      async ({ model, name, data }) => {
        const image = await (await fetch(`data:image/png;base64,${data}`)).blob();
        return globalThis.sdks[name]?.ocr.read({ model, image }).then(
          ({ blocks }) => blocks.map(({ text }) => text).join("\n"),
          (error: { code: string }) => ({ code: error.code }),
        );
      },
      { model, name, data: picture.toString("base64") },
    ) as Promise<Ended<string>>;
  }

  /** What a model of one float in and one out makes of `x`. */
  compute(model: string, x: number): Promise<Ended<number>> {
    return this.page.evaluate(
      ({ model, x }) =>
        globalThis.sdks["main"]?.run({ model, inputs: { x: { type: "float32", dims: [1], data: Float32Array.of(x) } } }).then(
          ({ y }) => Number(y?.data[0]),
          (error: { code: string }) => ({ code: error.code }),
        ),
      { model, x },
    ) as Promise<Ended<number>>;
  }

  /** What a model of text goes on with, at its likeliest. */
  complete(model: string, prompt: string, max_tokens: number): Promise<Ended<string>> {
    return this.page.evaluate(
      (request) =>
        globalThis.sdks["main"]?.completions.create(request).then(
          ({ choices }) => choices[0]?.text ?? "",
          (error: { code: string }) => ({ code: error.code }),
        ),
      { model, prompt, max_tokens },
    ) as Promise<Ended<string>>;
  }

  unload(model: string, name = "main"): Promise<void> {
    return this.page.evaluate(({ model, name }) => globalThis.sdks[name]?.models.unload(model), { model, name });
  }

  warm(name = "main"): Promise<string[]> {
    return this.page.evaluate((name) => (globalThis.sdks[name]?.models.list() ?? []).map(({ model }) => model), name);
  }

  prepareOffline(model: string, tokens: number): Promise<OfflineLease | undefined> {
    return this.page.evaluate((plan) => globalThis.sdks["main"]?.offline.prepare(plan), { model, tokens });
  }

  offlineLeases(): Promise<readonly OfflineLease[] | undefined> {
    return this.page.evaluate(() => globalThis.sdks["main"]?.offline.list());
  }

  endOffline(model: string): Promise<void> {
    return this.page.evaluate((name) => globalThis.sdks["main"]?.offline.end(name), model);
  }

  /** Updates that were told of, so far. */
  updates(): Promise<Updated[]> {
    return this.page.evaluate(() => globalThis.updates);
  }

  told(): Promise<Told[]> {
    return this.page.evaluate(() => globalThis.told);
  }
}
