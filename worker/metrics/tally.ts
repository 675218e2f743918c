/**
 * What a span of time holds of a model's inferences: counts, sums and sketches. Pure; tallies of any spans, models and
 * tenants can be merged, in any order.
 *
 * - A usage report is an inference. Leases that end without a report are counted apart: nobody knows what they ran.
 */
import type { CostEntry } from "../ledger/journal.ts";
import { EMPTY_SKETCH, Sketch, type StoredSketch } from "./sketch.ts";

export const OUTCOMES = ["ok", "error", "aborted"] as const;
export const BACKENDS = ["webgpu", "wasm", "cloud"] as const;
export const CACHES = ["hit", "miss"] as const;
export const UNREPORTED = ["expired", "revoked"] as const;

/** Reports by `outcome|backend|cache`. */
export type Reports = Readonly<Record<string, number>>;

export interface Tally {
  readonly reports: Reports;
  readonly unreported: Readonly<Record<(typeof UNREPORTED)[number], number>>;
  readonly tokens: { readonly input: number; readonly output: number; readonly unreported: number };
  readonly costNanos: number;
  /** Output tokens and milliseconds of the inferences that went well and wrote tokens: their quotient is the rate. */
  readonly rate: { readonly tokens: number; readonly ms: number };
  readonly latency: StoredSketch;
  readonly ttft: StoredSketch;
}

export const EMPTY_TALLY: Tally = {
  reports: {},
  unreported: { expired: 0, revoked: 0 },
  tokens: { input: 0, output: 0, unreported: 0 },
  costNanos: 0,
  rate: { tokens: 0, ms: 0 },
  latency: EMPTY_SKETCH,
  ttft: EMPTY_SKETCH,
};

export function tallyOf(costs: readonly CostEntry[]): Tally {
  const reports: Record<string, number> = {};
  const unreported = { expired: 0, revoked: 0 };
  const tokens = { input: 0, output: 0, unreported: 0 };
  const rate = { tokens: 0, ms: 0 };
  const latency = new Sketch();
  const ttft = new Sketch();
  let costNanos = 0;
  for (const cost of costs) {
    tokens.input += cost.inputTokens;
    tokens.output += cost.outputTokens;
    tokens.unreported += cost.unreportedTokens;
    costNanos += cost.costNanos;
    if (cost.outcome === "expired" || cost.outcome === "revoked") {
      unreported[cost.outcome] += 1;
      continue;
    }
    const kind = [cost.outcome, cost.backend, cost.cache].join("|");
    reports[kind] = (reports[kind] ?? 0) + 1;
    if (cost.outcome !== "ok" || cost.latencyMs === null) continue;
    latency.add(cost.latencyMs);
    if (cost.ttftMs !== null) ttft.add(cost.ttftMs);
    if (cost.outputTokens > 0) {
      rate.tokens += cost.outputTokens;
      rate.ms += cost.latencyMs;
    }
  }
  return { reports, unreported, tokens, costNanos, rate, latency: latency.toStored(), ttft: ttft.toStored() };
}

export function merged(tallies: readonly Tally[]): Tally {
  const reports: Record<string, number> = {};
  const latency = new Sketch();
  const ttft = new Sketch();
  for (const tally of tallies) {
    for (const [kind, count] of Object.entries(tally.reports)) reports[kind] = (reports[kind] ?? 0) + count;
    latency.merge(tally.latency);
    ttft.merge(tally.ttft);
  }
  const sum = (of: (tally: Tally) => number) => tallies.reduce((total, tally) => total + of(tally), 0);
  return {
    reports,
    unreported: { expired: sum((t) => t.unreported.expired), revoked: sum((t) => t.unreported.revoked) },
    tokens: { input: sum((t) => t.tokens.input), output: sum((t) => t.tokens.output), unreported: sum((t) => t.tokens.unreported) },
    costNanos: sum((t) => t.costNanos),
    rate: { tokens: sum((t) => t.rate.tokens), ms: sum((t) => t.rate.ms) },
    latency: latency.toStored(),
    ttft: ttft.toStored(),
  };
}

/** Reports of an outcome, a backend or a cache's answer; all of them where none is named. */
export function countReports({ reports }: Tally, part?: string): number {
  return Object.entries(reports).reduce((sum, [kind, count]) => (part === undefined || kind.split("|").includes(part) ? sum + count : sum), 0);
}
