/** Metrics of a tenant: how its inferences went, by span of time. Durations are milliseconds; null: nothing was seen. */
import { z } from "zod";
import { amount, timestamp } from "./amounts.ts";

const ms = z.number().min(0).nullable();
const share = z.number().min(0).max(1).nullable();

export const metricValues = z
  .object({
    "inference.count": amount.meta({ description: "Usage reports." }),
    "inference.errors": amount,
    "inference.aborted": amount,
    "inference.error_rate": share.meta({ description: "Errors among all reports." }),
    "inference.latency_p50": ms.meta({ description: "Of inferences that went well; within 1 % of the exact value." }),
    "inference.latency_p95": ms,
    "inference.latency_p99": ms,
    "inference.ttft_p50": ms.meta({ description: "Time to the first token." }),
    "inference.ttft_p95": ms,
    "inference.ttft_p99": ms,
    "inference.tokens_per_second": z.number().min(0).nullable().meta({ description: "Output tokens a second of inferences that went well." }),
    "model.cache_hits": amount.meta({ description: "Inferences whose weights were in the browser's cache." }),
    "model.cache_misses": amount,
    "model.cache_hit_rate": share,
    "backend.webgpu": amount,
    "backend.wasm": amount,
    "backend.cloud": amount,
    "lease.expired": amount.meta({ description: "Leases charged in full because no final report came." }),
    "lease.revoked": amount,
    "tokens.input": amount,
    "tokens.output": amount,
    "tokens.unreported": amount,
    "cost.nanos": amount,
  })
  .meta({ id: "MetricValues" });
export type MetricValues = z.infer<typeof metricValues>;

export const metrics = z
  .object({
    since: timestamp.meta({ description: "The span that the values are of, in whole hours." }),
    until: timestamp,
    metrics: metricValues,
    models: z.record(z.string(), metricValues),
  })
  .meta({ id: "Metrics" });
export type Metrics = z.infer<typeof metrics>;
