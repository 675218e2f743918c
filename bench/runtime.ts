/**
 * `npm run bench:runtime`: text generation in one Chromium, ours beside transformers.js and wllama.
 *
 * - The same model and the same tokens, greedy; every contestant is loaded once, then each measure runs on one after
 *   the other, three times over (`BENCH_REPEATS`). Medians, with the least and the most; the load of the machine is noted.
 * - Models are made by ../shared/models/make.sh; the peers are installed into .leasehold/peers at the first run.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { CHROMIUM_ARGS, chromiumPath } from "../cli/chromium.ts";
import { ROOT } from "../cli/root.ts";
import { madeModel } from "../test/support/real-models.ts";
import { serveBench } from "./runtime/server.ts";

const REPEATS = Number(process.env["BENCH_REPEATS"] ?? 3);
const ONLY = process.env["BENCH_ONLY"]?.split(",");
const NAMES = ["Leasehold q4, 1 thread", "Leasehold q4, 2 threads", "transformers.js q4", "transformers.js q8", "wllama Q4_1"].filter((name) => !ONLY || ONLY.some((part) => name.includes(part)));
const CONTEXTS = [32, 256, 1024];
/** Tokens until speed is steady, and those that are timed; a slow engine gets fewer, for its noise is less. */
const SKIPPED = 4;
const TIMED = 32;
const TIMED_SLOW = 8;

interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

installPeers();
const made = await madeModel("smollm2");
if (made.missing !== null) throw new Error(made.missing);
const models = join(made.folder, "../..");

const { origin, close } = await serveBench(models);
const browser = await chromium.launch({ executablePath: await chromiumPath(), args: CHROMIUM_ARGS });
const samples = new Map<string, Map<string, number[]>>();
const notes: Record<string, string> = {};
const before = loadavg();
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(600_000);
  await page.goto(new URL("bench/runtime/page.html", origin).href);
  await page.waitForFunction(() => globalThis.bench !== undefined);
  const prompts = new Map(await Promise.all([...CONTEXTS, 1000, 1032].map(async (tokens) => [tokens, await page.evaluate((count) => bench?.prompt(count), tokens)] as const)));
  const generate = async (name: string, tokens: number, count: number, keep = 0): Promise<number[]> => {
    const prompt = prompts.get(tokens);
    if (!prompt) throw new Error(`no prompt of ${tokens} tokens`);
    return page.evaluate(async (ask) => (await bench?.generate(ask.name, ask.prompt, ask.count, ask.keep)) ?? [], { name, prompt, count, keep });
  };

  for (const name of NAMES) {
    notes[name] = await page.evaluate((asked) => bench?.load(asked), name) ?? "";
    await generate(name, 32, SKIPPED); // warm
    console.log(`${name}: ${notes[name]}`);
  }
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const tokens of CONTEXTS) {
      for (const name of NAMES) {
        const timed = name.startsWith("transformers") ? TIMED_SLOW : TIMED;
        const times = await generate(name, tokens, SKIPPED + timed + 1);
        const first = times[0] ?? NaN;
        add(name, `prefill tok/s @${tokens}`, (tokens * 1000) / first);
        add(name, `decode tok/s @${tokens}`, ((times.length - 1 - SKIPPED) * 1000) / ((times.at(-1) ?? NaN) - (times[SKIPPED] ?? NaN)));
        if (tokens === 32) add(name, "time to first token, 32 tokens, ms", first);
      }
    }
    for (const name of NAMES) {
      await generate(name, 1000, 1);
      add(name, "second turn after 1,000 tokens: time to first token, ms", (await generate(name, 1032, 1, 1000))[0] ?? NaN);
    }
    console.log(`repeat ${repeat + 1} of ${REPEATS} done, load ${loadavg()[0]?.toFixed(1)}`);
  }
} finally {
  await browser.close();
  await close();
}

const measures = [...new Set([...samples.values()].flatMap((each) => [...each.keys()]))];
const results = Object.fromEntries(measures.map((measure) => [measure, Object.fromEntries(NAMES.map((name) => [name, summarize(samples.get(name)?.get(measure) ?? [])]))]));
mkdirSync(join(ROOT, "bench/results"), { recursive: true });
const report = { at: new Date().toISOString(), repeats: REPEATS, cores: cpus().length, cpu: cpus()[0]?.model, load: { before, after: loadavg() }, notes, results };
writeFileSync(join(ROOT, "bench/results/runtime.json"), `${JSON.stringify(report, null, 2)}\n`);
console.log(`| measure | ${NAMES.join(" | ")} |\n|${"---|".repeat(NAMES.length + 1)}`);
for (const measure of measures) console.log(`| ${measure} | ${NAMES.map((name) => cell(results[measure]?.[name])).join(" | ")} |`);

function add(name: string, measure: string, value: number): void {
  const own = samples.get(name) ?? new Map<string, number[]>();
  samples.set(name, own.set(measure, [...(own.get(measure) ?? []), value]));
}

function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? NaN, min: sorted[0] ?? NaN, max: sorted.at(-1) ?? NaN };
}

function cell(summary: Summary | undefined): string {
  if (!summary) return "";
  const { median, min, max } = summary;
  return `${median.toPrecision(3)} (${min.toPrecision(3)} – ${max.toPrecision(3)})`;
}

/** Apart from the project's packages; without scripts, for one of theirs downloads what a browser has no use for. */
function installPeers(): void {
  const folder = join(ROOT, ".leasehold/peers");
  if (existsSync(join(folder, "node_modules/@wllama/wllama")) && existsSync(join(folder, "node_modules/@huggingface/transformers"))) return;
  for (const name of ["package.json", "package-lock.json"]) cpSync(join(ROOT, "bench/runtime/peers", name), join(folder, name));
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--omit=optional"], { cwd: folder, stdio: "inherit" });
  if (status !== 0) throw new Error("the peers could not be installed");
}
