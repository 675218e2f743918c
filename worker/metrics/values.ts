/** A tally as the API's metric values. Pure. */
import type { MetricValues } from "../../schema/contract/metrics.ts";
import { Sketch, type StoredSketch } from "./sketch.ts";
import { type Tally, countReports } from "./tally.ts";

const quantile = (stored: StoredSketch, q: number) => {
  const value = Sketch.from(stored).quantile(q);
  return value === null ? null : Math.round(value * 1000) / 1000;
};

const shareOf = (part: number, all: number) => (all === 0 ? null : part / all);

export function valuesOf(tally: Tally): MetricValues {
  const count = countReports(tally);
  const errors = countReports(tally, "error");
  const hits = countReports(tally, "hit");
  const misses = countReports(tally, "miss");
  return {
    "inference.count": count,
    "inference.errors": errors,
    "inference.aborted": countReports(tally, "aborted"),
    "inference.error_rate": shareOf(errors, count),
    "inference.latency_p50": quantile(tally.latency, 0.5),
    "inference.latency_p95": quantile(tally.latency, 0.95),
    "inference.latency_p99": quantile(tally.latency, 0.99),
    "inference.ttft_p50": quantile(tally.ttft, 0.5),
    "inference.ttft_p95": quantile(tally.ttft, 0.95),
    "inference.ttft_p99": quantile(tally.ttft, 0.99),
    "inference.tokens_per_second": tally.rate.ms === 0 ? null : Math.round((tally.rate.tokens * 1_000_000) / tally.rate.ms) / 1000,
    "model.cache_hits": hits,
    "model.cache_misses": misses,
    "model.cache_hit_rate": shareOf(hits, hits + misses),
    "backend.webgpu": countReports(tally, "webgpu"),
    "backend.wasm": countReports(tally, "wasm"),
    "backend.cloud": countReports(tally, "cloud"),
    "lease.expired": tally.unreported.expired,
    "lease.revoked": tally.unreported.revoked,
    "tokens.input": tally.tokens.input,
    "tokens.output": tally.tokens.output,
    "tokens.unreported": tally.tokens.unreported,
    "cost.nanos": tally.costNanos,
  };
}
