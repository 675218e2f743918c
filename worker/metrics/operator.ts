/**
 * The operator's view across all tenants, from D1 and the lag board.
 *
 * - A tenant's series are at most a minute older than its last report, or older while D1 is behind for it: the lag says so.
 * - Where D1 is away, the lag and `leasehold_d1_up 0` are all there is: a scrape never fails for it.
 */
import type { Env } from "../env.ts";
import { allModelMetrics } from "../tenants/directory.ts";
import { within } from "../within.ts";
import { type Series, familiesOf, summary } from "./families.ts";
import { type Behind, type LagSummary, lagBoard } from "./lag-board.ts";
import type { Family } from "./prometheus.ts";
import { hourOf } from "./span.ts";
import { EMPTY_TALLY, type Tally, merged } from "./tally.ts";

const D1_TIMEOUT_MS = 10_000;

export async function operatorFamilies(env: Env, now: number): Promise<Family[]> {
  const board = lagBoard(env);
  const [series, lag, behind] = await Promise.all([seriesOf(env, now), board.summary() as Promise<LagSummary>, board.worst() as Promise<Behind[]>]);
  return [
    gauge("leasehold_d1_up", "Whether D1 answered this scrape.", [{ labels: {}, value: series === null ? 0 : 1 }]),
    gauge("leasehold_projection_tenants_behind", "Tenants whose records D1 did not take at the last attempt.", [{ labels: {}, value: lag.tenants }]),
    gauge("leasehold_projection_lag_events", "Events that D1 does not have yet, of tenants that are behind.", behind.map(({ tenant, events }) => ({ labels: { tenant }, value: events }))),
    gauge("leasehold_projection_lag_seconds", "Age of the oldest event that D1 does not have yet, of tenants that are behind.", behind.map(({ tenant, since }) => ({ labels: { tenant }, value: Math.max(0, now - since) / 1000 }))),
    ...(series === null ? [] : [...deployment(series), ...familiesOf(series)]),
  ];
}

async function seriesOf(env: Env, now: number): Promise<Series[] | null> {
  try {
    const rows = await within(D1_TIMEOUT_MS, "D1", allModelMetrics(env));
    return rows.map((row) => ({
      labels: { tenant: row.tenantId, model: row.model },
      total: JSON.parse(row.total) as Tally,
      // Nothing came since: what the row has of recent hours is no longer recent.
      recent: row.hour < hourOf(now) - 1 ? EMPTY_TALLY : (JSON.parse(row.recent) as Tally),
    }));
  } catch (cause) {
    console.error(JSON.stringify({ level: "error", message: "metrics of the tenants can't be read", error: String(cause) }));
    return null;
  }
}

/** All tenants as one: quantiles can't be had from the tenants' own, the sketches can be merged. */
function deployment(series: readonly Series[]): Family[] {
  const total = merged(series.map((one) => one.total));
  const recent = merged(series.map((one) => one.recent));
  return [
    { type: "summary", name: "leasehold_deployment_inference_latency_seconds", help: "Duration of inferences that went well, of all tenants together.", samples: [summary({}, total.latency, recent.latency)] },
    { type: "summary", name: "leasehold_deployment_inference_first_token_seconds", help: "Time to the first token, of all tenants together.", samples: [summary({}, total.ttft, recent.ttft)] },
  ];
}

const gauge = (name: string, help: string, samples: Family["samples"]): Family => ({ type: "gauge", name, help, samples }) as Family;
