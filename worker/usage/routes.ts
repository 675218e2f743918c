/** /v1/tenants/{t}/usage and /billing: what was used and what it costs, summed from the daily rollups. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { usd } from "../../schema/contract/amounts.ts";
import { billing, page, usageRow } from "../../schema/contract/records.ts";
import type { AppEnv } from "../http/app-env.ts";
import { guarded, json, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { recordsOf } from "../tenants/enter-records.ts";
import { monthOf } from "../ledger/calendar.ts";

const tags = ["Usage and billing"];
const period = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, "YYYY-MM").optional().meta({ description: "Month; the current one by default.", example: "2026-11" });

const readUsage = createRoute({
  method: "get", path: "/v1/tenants/{t}/usage", tags, ...guarded("GET /v1/tenants/{t}/usage"), summary: "Usage of a month",
  description: "Days in their order; models and users by what they cost, the dearest first.",
  request: { params: tenantPath, query: pageQuery.extend({ group_by: z.enum(["day", "model", "user"]).default("day"), period, limit: z.coerce.number().int().min(1).max(1000).default(100), cursor: z.string().regex(/^\d{1,9}$/).optional() }) },
  responses: { 200: json(page(usageRow), "One row a day, model or user."), ...problems },
});

const readBilling = createRoute({
  method: "get", path: "/v1/tenants/{t}/billing", tags, ...guarded("GET /v1/tenants/{t}/billing"), summary: "The bill of a month",
  request: { params: tenantPath, query: z.object({ period }) },
  responses: { 200: json(billing, "The bill: one line a model; the total is their sum."), ...problems },
});

/** Days are `YYYY-MM-DD`, so every day of a month sorts between `YYYY-MM-` and `YYYY-MM.`. */
const daysOf = (month: string): [string, string] => [`${month}-`, `${month}.`];

interface Sums {
  readonly key: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly unreportedTokens: number;
  readonly calls: number;
  readonly costNanos: number;
}

const totalTokens = (sums: Sums) => sums.inputTokens + sums.outputTokens + sums.unreportedTokens;

export function usageRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(readUsage, async (c) => {
    const { records, today } = await recordsOf(c.env, enter(c, "GET /v1/tenants/{t}/usage"));
    const query = c.req.valid("query");
    const from = Number(query.cursor ?? 0);
    const rows = await records.usage(query.group_by, ...daysOf(query.period ?? monthOf(today)), { limit: query.limit + 1, offset: from });
    const data = rows.slice(0, query.limit).map((row) => ({
      key: row.key,
      input_tokens: row.inputTokens,
      output_tokens: row.outputTokens,
      total_tokens: totalTokens(row),
      api_calls: row.calls,
      cost: usd(row.costNanos),
    }));
    return c.json({ data, next_cursor: rows.length > query.limit ? String(from + query.limit) : null }, 200);
  });

  app.openapi(readBilling, async (c) => {
    const { records, today, priceFloor } = await recordsOf(c.env, enter(c, "GET /v1/tenants/{t}/billing"));
    const month = c.req.valid("query").period ?? monthOf(today);
    const rows = await records.usage("model", ...daysOf(month));
    const lines = rows.map((row) => ({
      model: row.key,
      input_tokens: row.inputTokens,
      output_tokens: row.outputTokens,
      unreported_tokens: row.unreportedTokens,
      total_tokens: totalTokens(row),
      api_calls: row.calls,
      cost: usd(row.costNanos),
    }));
    const sum = (of: (row: Sums) => number) => rows.reduce((total, row) => total + of(row), 0);
    return c.json({ period: month, total_cost: usd(sum((row) => row.costNanos)), total_tokens: sum(totalTokens), api_calls: sum((row) => row.calls), price_floor: priceFloor, lines }, 200);
  });
}
