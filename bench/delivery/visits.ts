/** People with profiles of their own who open the bench's pages. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { BrowserContext, Page } from "playwright-core";
import { person } from "../../test/support/sdk-page.ts";
import { TIMING_PREFIX } from "../../client/timing.ts";
import { watchMemory, type Peak } from "./memory.ts";
import type { OurTask, PeerTask, Told } from "./page/task.ts";

export interface Visit extends Told, Peak {
  /** Of weights and the files beside them, over the network. */
  readonly fetchedBytes: number;
  readonly steps: readonly Step[];
}

/** One of a load's steps, in milliseconds from the start of the navigation. */
export interface Step {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
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
    const steps = await stepsOf(opened);
    await opened.close();
    return { ...told, ...taken, steps, fetchedBytes: this.#fetchedBytes - before };
  }

  async open(path: string, task: object = {}): Promise<Page> {
    const page = await this.#context.newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(`${this.#origin}/${path}#${encodeURIComponent(JSON.stringify(task))}`);
    return page;
  }
}

/** Of the page and its workers, on the page's clock. Threads that wait for work answer nothing, and have nothing to say. */
async function stepsOf(page: Page): Promise<Step[]> {
  const origin = await page.evaluate(() => performance.timeOrigin);
  const entries = await Promise.all([page.evaluate(timings), ...page.workers().map((worker) => Promise.race([worker.evaluate(timings), delay(ANSWER_MS, SILENT)]))]);
  return entries
    .flatMap(({ timeOrigin, measures }) => measures.map(({ name, start, duration }) => ({ name: name.slice(TIMING_PREFIX.length), fromMs: start + timeOrigin - origin, toMs: start + duration + timeOrigin - origin })))
    .sort((a, b) => a.fromMs - b.fromMs);
}

const ANSWER_MS = 1000;
const SILENT = { timeOrigin: 0, measures: [] };

const timings = () => ({ timeOrigin: performance.timeOrigin, measures: performance.getEntriesByType("measure").filter(({ name }) => name.startsWith("leasehold: ")).map(({ name, startTime, duration }) => ({ name, start: startTime, duration })) });
