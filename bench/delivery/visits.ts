/** People with profiles of their own who open the bench's pages. */
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { person } from "../../test/support/sdk-page.ts";
import { watchMemory, type Peak } from "./memory.ts";
import type { OurTask, PeerTask, Told } from "./page/task.ts";

export interface Visit extends Told, Peak {
  /** Of weights and the files beside them, over the network. */
  readonly fetchedBytes: number;
}

export class Person {
  readonly #context: BrowserContext;
  readonly #origin: string;
  readonly #profile: string;
  #fetchedBytes = 0;

  private constructor(context: BrowserContext, origin: string, profile: string) {
    this.#context = context;
    this.#origin = origin;
    this.#profile = profile;
    context.on("response", (response) => {
      const { pathname } = new URL(response.url());
      if (response.ok() && (pathname.startsWith("/v1/blobs/") || pathname.startsWith("/hub/")) && !response.fromServiceWorker()) this.#fetchedBytes += Number(response.headers()["content-length"] ?? 0);
    });
  }

  static async meet<T>(home: string, name: string, origin: string, work: (person: Person) => Promise<T>): Promise<T> {
    const profile = join(home, `profile-${name}`);
    const context = await person(profile);
    try {
      return await work(new Person(context, origin, profile));
    } finally {
      await context.close();
    }
  }

  /** A page of its own, to the end of the answer. */
  async visit(page: "index" | "peer", task: OurTask | PeerTask): Promise<Visit> {
    const before = this.#fetchedBytes;
    const peak = watchMemory(this.#profile);
    const opened = await this.open(`${page}.html`, task);
    const told = await opened.evaluate(() => globalThis.visited as Promise<Told>);
    const taken = peak();
    await opened.close();
    return { ...told, ...taken, fetchedBytes: this.#fetchedBytes - before };
  }

  async open(path: string, task: object = {}): Promise<Page> {
    const page = await this.#context.newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(`${this.#origin}/${path}#${encodeURIComponent(JSON.stringify(task))}`);
    return page;
  }
}
