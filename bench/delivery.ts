/**
 * `npm run bench:delivery`: what it costs to bring a model to a browser, in one Chromium, with a control plane on this
 * machine, side by side with transformers.js on the same files. Parts:
 *
 * - `text`, `ocr`: cold and warm starts (bench/delivery/starts.ts).
 * - `update`: what a new revision fetches against the whole.
 * - `pool`: how long a running model of one tenant takes while another tenant's loads, against alone, and against a core
 *   that plain work takes.
 * - `cache`: the cache alone, with a model of 100 MB: from the disk to bytes that are opened, verified and read.
 *
 * `--only=text,cache` runs some of them, `--repeats=5` more often than three times, `--trace` tells the steps of each
 * start, `--alone` leaves the peer out.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SMALL_RECEIPT, drawReceipt } from "../cli/check/receipt.ts";
import { startControlPlane } from "../cli/control-plane/start.ts";
import { madeModel } from "../test/support/real-models.ts";
import type { NeighbourTask } from "./delivery/page/task.ts";
import { Samples } from "./delivery/samples.ts";
import { startSite } from "./delivery/site.ts";
import { type Ground, MODES, ocrStarts, textStarts } from "./delivery/starts.ts";
import { makeTenant, otherDictionary, publishOcr, publishText } from "./delivery/tenants.ts";
import { Person } from "./delivery/visits.ts";
import { installPeers } from "./runtime/prepare.ts";
import { type Measure, publish, summarize } from "./support/results.ts";

const PARTS = { text: textStarts, ocr: ocrStarts, update, pool, cache } satisfies Record<string, (ground: Ground) => Promise<Measure[]>>;

const { values } = parseArgs({ options: { only: { type: "string", default: Object.keys(PARTS).join() }, repeats: { type: "string", default: "3" }, trace: { type: "boolean", default: false }, alone: { type: "boolean", default: false } } });
const parts = values.only.split(",").map((name) => {
  if (!Object.hasOwn(PARTS, name)) throw new Error(`There is no part ${name}: ${Object.keys(PARTS).join(", ")}.`);
  return name as keyof typeof PARTS;
});

if (parts.includes("text") && !values.alone) installPeers();
const made = await madeModel("smollm2");
if (made.missing !== null) throw new Error(made.missing);
const home = await mkdtemp(join(tmpdir(), "leasehold-delivery-"));
const plane = await startControlPlane({ stateDir: join(home, "state"), port: "any", log: () => undefined });
const site = await startSite(join(home, "site"), join(made.folder, "../.."));
try {
  const tenants = { encrypted: await makeTenant(plane, site.origin, "encrypted"), plain: await makeTenant(plane, site.origin, "plain") };
  for (const mode of MODES) {
    await publishOcr(plane, tenants[mode], mode);
    if (parts.includes("text") || parts.includes("pool")) await publishText(plane, tenants[mode], mode, made.folder);
  }
  const ground: Ground = { home, origin: site.origin, planeUrl: plane.url, tenants, repeats: Number(values.repeats), samples: new Samples(), isTraced: values.trace, hasPeer: !values.alone };
  const measures: Measure[] = [];
  for (const part of parts) measures.push(...(await PARTS[part](ground)));
  await publish("delivery", measures);
} finally {
  await site.close();
  await plane.stop();
  await rm(home, { recursive: true, force: true });
}

async function update({ origin, planeUrl, tenants, samples }: Ground): Promise<Measure[]> {
  const { encrypted } = tenants;
  const picture = (await drawReceipt(SMALL_RECEIPT)).toString("base64");
  await Person.meet(home, "update", origin, async (person) => {
    const visit = async () => (await person.visit("index", { kind: "ocr", publishableKey: encrypted.publishable, baseUrl: planeUrl, picture })).fetchedBytes;
    samples.add("whole model", await visit());
    await publishOcr(plane, encrypted, "encrypted", await otherDictionary(home));
    samples.add("update", await visit());
  });
  return [summarize("update", "bytes", samples.of("update"), { peer: "whole model", samples: samples.of("whole model") })];
}

async function pool({ origin, planeUrl, tenants, repeats, samples }: Ground): Promise<Measure[]> {
  const task: NeighbourTask = { baseUrl: planeUrl, runs: tenants.encrypted.publishable, loads: tenants.plain.publishable, picture: (await drawReceipt(SMALL_RECEIPT)).toString("base64") };
  const whiles = { five: "alone", loaded: "while another tenant's model loads", burnt: "while plain work takes a core" } as const;
  await Person.meet(home, "pool", origin, async (person) => {
    const page = await person.open("neighbour.html", task);
    await page.waitForFunction(() => "neighbour" in globalThis);
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const until of ["five", "loaded", "burnt"] as const) {
        const { each, beside } = await page.evaluate((how) => globalThis.neighbour.reads(how), until);
        for (const took of each) samples.add(`a call, ${whiles[until]}`, took);
        if (until === "loaded" && beside !== null) samples.add("a load, beside calls", beside);
      }
      samples.add("a load, alone", await page.evaluate(() => globalThis.neighbour.load()));
    }
  });
  const alone = samples.of(`a call, ${whiles.five}`);
  const loads = summarize("a load, beside another tenant's calls", "ms", samples.of("a load, beside calls"), { peer: "alone", samples: samples.of("a load, alone") });
  return [loads, ...Object.values(whiles).map((name) => summarize(`a call, ${name}`, "ms", samples.of(`a call, ${name}`), name === "alone" ? undefined : { peer: "alone", samples: alone }))];
}

async function cache({ origin, repeats, samples }: Ground): Promise<Measure[]> {
  await Person.meet(home, "cache", origin, async (person) => {
    const page = await person.open("cache.html");
    await page.evaluate(() => globalThis.cacheReady);
    for (let repeat = 0; repeat < 2 * repeats; repeat++) {
      for (const mode of repeat % 2 === 0 ? MODES : MODES.toReversed()) samples.add(`cache alone, ${mode}`, await page.evaluate((how) => globalThis.openCached(how), mode));
    }
  });
  return [summarize("cache alone, plain", "ms", samples.of("cache alone, plain")), summarize("cache alone, encrypted", "ms", samples.of("cache alone, encrypted"), { peer: "plain", samples: samples.of("cache alone, plain") })];
}
