/**
 * Which families a deployment exposes, from tallies. Pure.
 *
 * - Counters, and the sums and counts of summaries, are of all time: they never fall. Quantiles are of the current and
 *   the previous hour.
 */
import type { Family, Labels, SummarySample } from "./prometheus.ts";
import { Sketch, type StoredSketch } from "./sketch.ts";
import { type Tally, UNREPORTED } from "./tally.ts";

/** One tenant's model. */
export interface Series {
  readonly labels: Labels;
  readonly total: Tally;
  /** The current and the previous hour. */
  readonly recent: Tally;
}

const QUANTILES = [0.5, 0.95, 0.99] as const;

export function familiesOf(series: readonly Series[]): Family[] {
  const seconds = (of: (tally: Tally) => StoredSketch) => series.map(({ labels, total, recent }) => summary(labels, of(total), of(recent)));
  return [
    {
      type: "counter", name: "leasehold_inferences_total", help: "Usage reports, by how the inference went, what ran it, and whether its weights were cached.",
      samples: series.flatMap(({ labels, total }) =>
        Object.entries(total.reports).map(([kind, value]) => {
          const [outcome = "", backend = "", cache = ""] = kind.split("|");
          return { labels: { ...labels, outcome, backend, cache }, value };
        }),
      ),
    },
    {
      type: "counter", name: "leasehold_leases_unreported_total", help: "Leases charged in full because no final report came.",
      samples: series.flatMap(({ labels, total }) => UNREPORTED.map((reason) => ({ labels: { ...labels, reason }, value: total.unreported[reason] }))),
    },
    {
      type: "counter", name: "leasehold_tokens_total", help: "LLM tokens charged.",
      samples: series.flatMap(({ labels, total }) => (["input", "output", "unreported"] as const).map((kind) => ({ labels: { ...labels, kind }, value: total.tokens[kind] }))),
    },
    {
      type: "counter", name: "leasehold_cost_nanodollars_total", help: "Cost of all that was charged, in 10^-9 US dollars.",
      samples: series.map(({ labels, total }) => ({ labels, value: total.costNanos })),
    },
    { type: "summary", name: "leasehold_inference_latency_seconds", help: "Duration of inferences that went well; quantiles of the current and the previous hour.", samples: seconds(({ latency }) => latency) },
    { type: "summary", name: "leasehold_inference_first_token_seconds", help: "Time to the first token of inferences that went well; quantiles of the current and the previous hour.", samples: seconds(({ ttft }) => ttft) },
  ];
}

/** Milliseconds become seconds. */
export function summary(labels: Labels, total: StoredSketch, recent: StoredSketch): SummarySample {
  const all = Sketch.from(total);
  const latest = Sketch.from(recent);
  const quantiles = QUANTILES.map((q) => {
    const value = latest.quantile(q);
    return [String(q), value === null ? null : value / 1000];
  });
  return { labels, quantiles: Object.fromEntries(quantiles) as Record<string, number | null>, sum: all.sum / 1000, count: all.count };
}
