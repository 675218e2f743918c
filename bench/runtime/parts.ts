/** What can be measured, part by part: within a repeat each contestant has its turn before the next measure begins. */
import type { BenchBrowser } from "./browser.ts";
import { MEASURE } from "./goals.ts";
import type { Samples } from "./samples.ts";
import type { TimedRun } from "./worker/leasehold-protocol.ts";

export interface Plan {
  readonly repeats: number;
  /** Tokens that are timed. */
  readonly tokens: number;
  readonly contexts: readonly number[];
  readonly names: readonly string[];
  readonly embedders: readonly string[];
  readonly samples: Samples;
  readonly open: () => Promise<BenchBrowser>;
  readonly note: (name: string, text: string) => void;
  readonly progress: (text: string) => void;
}

/** Tokens until the pace is steady. */
const SKIPPED = 4;
/** A slow engine's tokens vary less, and cost more. */
const MOST_OF_SLOW = 8;
const WARMING = 24;
const HISTORY = 1000;
const WITH_TURN = 1024;

const isSlow = (name: string): boolean => name.startsWith("transformers");
/** Goes on where the call before it ended. */
const keepsPrefix = (name: string): boolean => !isSlow(name);

export async function text({ repeats, tokens, contexts, names, samples, open, note, progress }: Plan): Promise<void> {
  const page = await open();
  for (const name of names) {
    note(name, (await page.load(name)).note);
    await page.generate(name, { tokens: 32, salt: 0 }, isSlow(name) ? MOST_OF_SLOW : WARMING);
    progress(`${name} is loaded`);
  }
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const context of contexts) {
      for (const name of names) {
        const timed = isSlow(name) ? Math.min(tokens, MOST_OF_SLOW) : tokens;
        const prompt = { tokens: context, salt: repeat * contexts.length + contexts.indexOf(context) + 1 };
        const { times, runs } = await page.generate(name, prompt, SKIPPED + timed + 1);
        const [first = NaN] = times;
        if (times.length < SKIPPED + 3) throw new Error(`${name} ended its text after ${times.length} tokens`);
        samples.add(MEASURE.prefill(context), name, (context * 1000) / first);
        const from = times.lastIndexOf(times[SKIPPED] ?? NaN); // several tokens may come in one piece
        samples.add(MEASURE.decode(context), name, ((times.length - 1 - from) * 1000) / ((times.at(-1) ?? NaN) - (times[from] ?? NaN)));
        if (context === 32) samples.add(MEASURE.first, name, first);
        const outside = shareOutside(runs);
        if (outside !== null) samples.add(MEASURE.overhead(context), name, outside * 100);
        if (context !== WITH_TURN) continue;
        const turn = keepsPrefix(name) ? ((await page.generate(name, { ...prompt, kept: HISTORY }, 1)).times[0] ?? NaN) : first;
        samples.add(MEASURE.turn, name, turn);
      }
      progress(`repeat ${repeat + 1} of ${repeats}, context ${context}`);
    }
  }
  await page.close();
}

/** Of the time from the beginning of one token's run to that of the next: what is in no run. After the first tokens, as for the speed. */
function shareOutside(runs: readonly TimedRun[]): number | null {
  const single = runs.filter(({ rows }) => rows === 1).slice(SKIPPED);
  const [first, last] = [single[0], single.at(-1)];
  if (!first || !last || first === last) return null;
  return 1 - single.slice(0, -1).reduce((sum, { ms }) => sum + ms, 0) / (last.began - first.began);
}

/** From nothing but the weights' address: a fresh browser, load, first token; then a longer text, and what memory that took. */
export async function cold({ repeats, names, samples, open, progress }: Plan): Promise<void> {
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const name of names) {
      const page = await open();
      const { ms } = await page.load(name);
      const { times } = await page.generate(name, { tokens: 32, salt: 0 }, 1);
      samples.add(MEASURE.cold, name, ms + (times[0] ?? NaN));
      if (repeat === 0) {
        await page.generate(name, { tokens: 256, salt: 1 }, 8);
        const peak = await page.peakMemory();
        if (peak !== null) samples.add(MEASURE.peak, name, peak / 1e6);
      }
      await page.close();
    }
    progress(`cold starts: repeat ${repeat + 1} of ${repeats}`);
  }
}

const TEXTS = 32;

export async function embeddings({ repeats, embedders, samples, open, note, progress }: Plan): Promise<void> {
  const page = await open();
  for (const name of embedders) {
    note(`${name}, embeddings`, await page.loadEmbedder(name));
    await page.embed(name, TEXTS);
  }
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const batch of [1, TEXTS]) {
      for (const name of embedders) samples.add(MEASURE.embed(batch), name, (TEXTS * 1000) / (await page.embed(name, batch)));
    }
    progress(`embeddings: repeat ${repeat + 1} of ${repeats}`);
  }
  await page.close();
}
