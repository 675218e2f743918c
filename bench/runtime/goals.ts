/** What `bench:runtime` is to show, as ratios of medians, and how far this run came. Pure. */
import { short, table, type Samples } from "./samples.ts";

export const OURS = "Leasehold q4";
export const EMBEDS = "Leasehold";
export const MEASURE = {
  decode: (context: number) => `decode tok/s @${context}`,
  prefill: (context: number) => `prefill tok/s @${context}`,
  first: "first token, warm, 32 tokens, ms",
  cold: "first token, cold, ms",
  turn: "second turn after 1,000 tokens: first token, ms",
  overhead: (context: number) => `share of a token outside the model's runs, % @${context}`,
  peak: "peak memory of the page, MB",
  embed: (batch: number) => `embeddings/s, batch ${batch}`,
} as const;

interface Goal {
  readonly what: string;
  /** `null` where this run has not measured it. */
  readonly reached: (samples: Samples) => number | null;
  readonly least?: number;
  readonly most?: number;
}

/** Ours to the best of the peers whose names begin so; `rate`: more is better. */
const ratio = (measure: string, peers: string, kind: "rate" | "time", ours = OURS) => (samples: Samples): number | null => {
  const own = samples.summary(measure, ours)?.median;
  const others = samples.names(measure).filter((name) => name.startsWith(peers)).map((name) => samples.summary(measure, name)?.median ?? NaN);
  return own === undefined || others.length === 0 ? null : own / (kind === "rate" ? Math.max(...others) : Math.min(...others));
};

const decay = (samples: Samples): number | null => {
  const [short, long] = [32, 1024].map((context) => samples.summary(MEASURE.decode(context), OURS)?.median);
  return short === undefined || long === undefined ? null : (1 - long / short) * 100;
};

const GOALS: readonly Goal[] = [
  ...[32, 256, 1024].map((context): Goal => ({ what: `decode @${context} ÷ transformers.js q4`, reached: ratio(MEASURE.decode(context), "transformers.js q4", "rate"), least: 10 })),
  ...[32, 256, 1024].map((context): Goal => ({ what: `decode @${context} ÷ transformers.js at its best`, reached: ratio(MEASURE.decode(context), "transformers.js", "rate"), least: 4 })),
  ...([[32, 1.4], [256, 2], [1024, 2]] as const).map(([context, least]): Goal => ({ what: `decode @${context} ÷ wllama at its best`, reached: ratio(MEASURE.decode(context), "wllama", "rate"), least })),
  { what: "decay of decode from 32 to 1,024, %", reached: decay, most: 25 },
  { what: "prefill @256 ÷ transformers.js at its best", reached: ratio(MEASURE.prefill(256), "transformers.js", "rate"), least: 1.2 },
  { what: "prefill @1024 ÷ transformers.js at its best", reached: ratio(MEASURE.prefill(1024), "transformers.js", "rate"), least: 1 },
  { what: "first token, warm ÷ transformers.js at its best", reached: ratio(MEASURE.first, "transformers.js", "time"), most: 0.4 },
  { what: "second turn ÷ transformers.js at its best", reached: ratio(MEASURE.turn, "transformers.js", "time"), most: 0.05 },
  { what: "embeddings/s, batch 32 ÷ transformers.js", reached: ratio(MEASURE.embed(32), "transformers.js", "rate", EMBEDS), least: 1.5 },
  ...[32, 256, 1024].map((context): Goal => ({ what: `overhead outside the model's runs @${context}, %`, reached: (samples) => samples.summary(MEASURE.overhead(context), OURS)?.median ?? null, most: 5 })),
];

export interface Verdict {
  readonly what: string;
  readonly value: number;
  readonly goal: string;
  readonly isMet: boolean;
}

export function verdicts(samples: Samples): Verdict[] {
  return GOALS.flatMap(({ what, reached, least = -Infinity, most = Infinity }) => {
    const value = reached(samples);
    if (value === null) return [];
    return [{ what, value, goal: least > -Infinity ? `≥ ${least}` : `≤ ${most}`, isMet: value >= least && value <= most }];
  });
}

export const verdictTable = (all: readonly Verdict[]): string => table(["goal", "reached", "asked", ""], all.map(({ what, value, goal, isMet }) => [what, short(value), goal, isMet ? "met" : "**missed**"]));
