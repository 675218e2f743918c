/** /v1/tenants/{t}/metrics (JSON) and metrics.prom, and the operator's /v1/metrics.prom. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { LAST_INSTANT, timestamp } from "../../schema/contract/amounts.ts";
import { metrics } from "../../schema/contract/metrics.ts";
import type { Quota } from "../../schema/contract/policy.ts";
import type { AppEnv } from "../http/app-env.ts";
import { asSent, guarded, json, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { problem, unwrap } from "../http/problem.ts";
import { KEEP_HOURS } from "../ledger/tally-book.ts";
import { familiesOf } from "./families.ts";
import { operatorFamilies } from "./operator.ts";
import { type Family, PROMETHEUS_TYPE, exposition } from "./prometheus.ts";
import { HOUR_MS } from "./span.ts";

const tags = ["Metrics"];
const DAY_MS = 24 * HOUR_MS;
const text = { 200: { description: "Prometheus text format 0.0.4.", content: { "text/plain": { schema: z.string() } } } };

const read = createRoute({
  method: "get", path: "/v1/tenants/{t}/metrics", tags, ...guarded("GET /v1/tenants/{t}/metrics"), summary: "How the inferences of a span of time went",
  description: `Of the whole hours (UTC) that the span touches; the last 24 hours by default. Hours are kept for ${KEEP_HOURS / 24} days.`,
  request: { params: tenantPath, query: z.object({ since: timestamp.optional(), until: timestamp.optional() }) },
  responses: { 200: json(metrics, "All models together, and each."), ...problems },
});

const scrape = createRoute({
  method: "get", path: "/v1/tenants/{t}/metrics.prom", tags, ...guarded("GET /v1/tenants/{t}/metrics.prom"), summary: "The tenant's metrics for Prometheus",
  request: { params: tenantPath },
  responses: { ...text, ...problems },
});

const scrapeAll = createRoute({
  method: "get", path: "/v1/metrics.prom", tags, ...guarded("GET /v1/metrics.prom"), summary: "All tenants' metrics for Prometheus, and how far D1 is behind",
  responses: { ...text, ...problems },
});

export function metricsRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(read, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/metrics");
    const query = c.req.valid("query");
    const until = query.until === undefined ? Date.now() : Date.parse(query.until);
    const since = query.since === undefined ? until - DAY_MS : Date.parse(query.since);
    if (since > until) throw problem("invalid-request", "since is after until.");
    return c.json(unwrap(await object.metrics.read(call, counted(since), counted(until))), 200);
  });

  app.openapi(scrape, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/metrics.prom");
    const { series, quota, rowsWritten } = unwrap(await object.metrics.series(call));
    const rows = Object.entries(rowsWritten).map(([store, value]) => ({ labels: { tenant: call.tenant, store }, value }));
    return exposed([
      ...familiesOf(series),
      ...quotaFamilies(call.tenant, quota),
      { type: "counter", name: "leasehold_rows_written_total", help: "Rows written for this tenant since its object woke, as the platform bills them: tables, indexes, and settings of the alarm.", samples: rows },
    ]);
  });

  app.openapi(scrapeAll, async (c) => exposed(await operatorFamilies(c.env, Date.now())));
}

/** Hours are counted from the epoch on, and the end of the last one that is told has four digits for its year. */
const counted = (at: number) => Math.min(Math.max(at, 0), LAST_INSTANT - HOUR_MS);

const exposed = (families: readonly Family[]) => asSent(new Response(exposition(families), { headers: { "content-type": PROMETHEUS_TYPE, "cache-control": "no-store" } }));

function quotaFamilies(tenant: string, quota: Quota): Family[] {
  const samples = (of: "limit" | "held" | "posted") =>
    Object.entries(quota).flatMap(([limit, balance]) => {
      const value = balance?.[of] ?? null;
      return value === null ? [] : [{ labels: { tenant, limit }, value }];
    });
  return [
    { type: "gauge", name: "leasehold_quota_limit", help: "Limits that are set, in their own unit.", samples: samples("limit") },
    { type: "gauge", name: "leasehold_quota_held", help: "What running leases and uploads hold.", samples: samples("held") },
    { type: "gauge", name: "leasehold_quota_posted", help: "What was charged in the window.", samples: samples("posted") },
  ];
}
