/**
 * `npm run bench:runtime`: text and embeddings in one Chromium, ours beside transformers.js and wllama.
 *
 * - The same model and the same tokens, greedy; every contestant is loaded once, then each measure runs on one after
 *   the other, repeat by repeat. Medians, with the least and the most; the machine's load is noted.
 * - `-- --only text,cold,embeddings,threads,sampling`, `--repeats 3`, `--contexts 32,256,1024`, `--tokens 32` (timed),
 *   `--names Leasehold,wllama` (contestants whose names begin so).
 * - `-- --only webgpu` is ours on this machine's graphics adapter, whose name is noted; with `--emulated` on SwiftShader,
 *   where a load takes minutes and the figures say nothing.
 * - Models are made by ../shared/models/make.sh; peers and their files go to .leasehold/ at the first run.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../cli/root.ts";
import { openBrowser } from "./runtime/browser.ts";
import { EMBEDS, OURS, verdicts, verdictTable } from "./runtime/goals.ts";
import { cold, embeddings, text, type Plan } from "./runtime/parts.ts";
import { prepare } from "./runtime/prepare.ts";
import { Samples } from "./runtime/samples.ts";
import { serveBench } from "./runtime/server.ts";

const PARTS: Readonly<Record<string, (plan: Plan) => Promise<void>>> = {
  text,
  cold,
  embeddings,
  threads: (plan) => text({ ...plan, names: [`${OURS}, 1 thread`, `${OURS}, 2 threads`] }),
  webgpu: (plan) => text({ ...plan, names: [`${OURS}, WebGPU`] }),
  sampling: (plan) => text({ ...plan, names: [OURS, `${OURS}, sampling`] }),
};
const USUAL = ["text", "cold", "embeddings"];
const NAMES = [OURS, "transformers.js q4", "transformers.js q8", "wllama Q8_0", "wllama Q4_1", "wllama Q4_0"];

const { values } = parseArgs({
  options: {
    only: { type: "string", default: USUAL.join() },
    repeats: { type: "string", default: "3" },
    contexts: { type: "string", default: "32,256,1024" },
    tokens: { type: "string", default: "32" },
    names: { type: "string", default: "" },
    emulated: { type: "boolean", default: false },
  },
});
const parts = values.only.split(",");
const unknown = parts.find((part) => !Object.hasOwn(PARTS, part));
if (unknown !== undefined) throw new Error(`there is no part ${unknown}; there are ${Object.keys(PARTS).join(", ")}`);

const began = performance.now();
const before = loadavg();
const { origin, close } = await serveBench(await prepare());
const samples = new Samples();
const notes: Record<string, string> = {};
const open = new Set<{ close(): Promise<void> }>();
const plan: Plan = {
  repeats: Number(values.repeats),
  tokens: Number(values.tokens),
  contexts: values.contexts.split(",").map(Number),
  names: NAMES.filter((name) => values.names.split(",").some((start) => name.startsWith(start))),
  embedders: [EMBEDS, "transformers.js"],
  samples,
  open: async () => {
    const browser = await openBrowser(origin, !parts.includes("webgpu") || values.emulated);
    open.add(browser);
    return browser;
  },
  note: (name, said) => (notes[name] = said),
  progress: (done) => console.error(`${((performance.now() - began) / 1000).toFixed(0)} s, load ${loadavg()[0]?.toFixed(1)}: ${done}`),
};
try {
  for (const part of parts) await PARTS[part]?.(plan);
} finally {
  await Promise.all([...open].map((browser) => browser.close()));
  await close();
}

const goals = verdicts(samples);
const seconds = Math.round((performance.now() - began) / 1000);
mkdirSync(join(ROOT, "bench/results"), { recursive: true });
const report = { at: new Date().toISOString(), seconds, options: values, cores: cpus().length, cpu: cpus()[0]?.model, load: { before, after: loadavg() }, notes, goals, results: samples.asJson() };
writeFileSync(join(ROOT, `bench/results/runtime${values.only === USUAL.join() ? "" : `-${parts.join("-")}`}.json`), `${JSON.stringify(report, null, 2)}\n`);
console.log(`${samples.asTable()}\n\n${verdictTable(goals)}\n\n${Object.entries(notes).map(([name, said]) => `${name}: ${said}`).join("\n")}`);
