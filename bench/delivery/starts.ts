/**
 * Cold and warm starts, side by side: a person who has never been there opens a page, then the next page. To the first
 * word of the answer, from the start of the navigation; then what was fetched, and the memory at its peak.
 *
 * - Text: ours, kept encrypted and plain, beside transformers.js with the same files. OCR: ours alone, for the peer has
 *   no task that runs these files.
 */
import { SMALL_RECEIPT, drawReceipt } from "../../cli/check/receipt.ts";
import { type Measure, summarize } from "../support/results.ts";
import type { PeerTask } from "./page/task.ts";
import type { Samples } from "./samples.ts";
import type { BenchTenant } from "./tenants.ts";
import { timeline } from "./timeline.ts";
import { Person, type Visit } from "./visits.ts";

export const MODES = ["encrypted", "plain"] as const;
export type Mode = (typeof MODES)[number];

export interface Ground {
  readonly home: string;
  readonly origin: string;
  readonly planeUrl: string;
  readonly tenants: Readonly<Record<Mode, BenchTenant>>;
  readonly repeats: number;
  readonly samples: Samples;
  /** Whether to tell the steps of every start. */
  readonly isTraced: boolean;
  readonly hasPeer: boolean;
}

const PEER = "transformers.js";
const STARTS = ["cold", "warm"] as const;
const PEER_TASK: PeerTask = { model: "HuggingFaceTB/SmolLM2-135M-Instruct", threads: 2 };

export async function textStarts(ground: Ground): Promise<Measure[]> {
  const { home, origin, planeUrl, tenants, repeats, samples, hasPeer } = ground;
  const contestants = hasPeer ? ([...MODES, PEER] as const) : MODES;
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const who of repeat % 2 === 0 ? contestants : contestants.toReversed()) {
      await Person.meet(home, `text-${who}-${repeat}`, origin, async (person) => {
        for (const start of STARTS) {
          const visit = who === PEER ? await person.visit("peer", PEER_TASK) : await person.visit("index", { kind: "text", publishableKey: tenants[who].publishable, baseUrl: planeUrl });
          if (visit.text.trim() === "") throw new Error(`${who} wrote nothing`);
          note(ground, `text, ${start} start, ${who}`, visit);
        }
      });
    }
  }
  return STARTS.flatMap((start) => compared(samples, `text, ${start} start`, contestants, hasPeer ? PEER : "plain"));
}

export async function ocrStarts(ground: Ground): Promise<Measure[]> {
  const { home, origin, planeUrl, tenants, repeats, samples } = ground;
  const picture = (await drawReceipt(SMALL_RECEIPT)).toString("base64");
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const mode of repeat % 2 === 0 ? MODES : MODES.toReversed()) {
      await Person.meet(home, `ocr-${mode}-${repeat}`, origin, async (person) => {
        for (const start of STARTS) {
          const visit = await person.visit("index", { kind: "ocr", publishableKey: tenants[mode].publishable, baseUrl: planeUrl, picture });
          if (visit.text !== SMALL_RECEIPT.lines.join("\n")) throw new Error(`The receipt was not read: ${JSON.stringify(visit.text)}`);
          note(ground, `OCR, ${start} start, ${mode}`, visit);
        }
      });
    }
  }
  return STARTS.flatMap((start) => compared(samples, `OCR, ${start} start`, MODES, "plain"));
}

function note({ samples, isTraced }: Ground, name: string, { firstMs, fetchedBytes, wholeBytes, renderersBytes, stages, steps }: Visit): void {
  samples.add(`${name}: first output`, firstMs);
  samples.add(`${name}: fetched`, fetchedBytes / 1e6);
  samples.add(`${name}: peak memory, whole browser`, wholeBytes / 1e6);
  samples.add(`${name}: peak memory, renderers`, renderersBytes / 1e6);
  console.error(`  stages: ${Object.entries(stages).map(([stage, ms]) => `${stage} ${ms.toFixed(0)}`).join(", ")}`);
  if (isTraced) console.error(timeline(steps));
}

function compared(samples: Samples, start: string, contestants: readonly string[], peer: string): Measure[] {
  const kinds = [
    ["first output", "ms"],
    ["fetched", "MB"],
    ["peak memory, renderers", "MB"],
    ["peak memory, whole browser", "MB"],
  ] as const;
  return kinds.flatMap(([kind, unit]) =>
    contestants.map((who) => {
      const theirs = samples.of(`${start}, ${peer}: ${kind}`);
      return summarize(`${start}: ${kind}, ${who}`, unit, samples.of(`${start}, ${who}: ${kind}`), who === peer || theirs.includes(0) ? undefined : { peer, samples: theirs });
    }),
  );
}
