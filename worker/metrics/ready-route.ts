/** /readyz: whether requests should be sent here, and how far the records are behind. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { amount, timestamp, toTimestamp } from "../../schema/contract/amounts.ts";
import type { AppEnv } from "../http/app-env.ts";
import { json, open, problems } from "../http/describe.ts";
import { problem } from "../http/problem.ts";
import type { LagSummary } from "./lag-board.ts";
import { type Part, readinessOf } from "./readiness.ts";

const projection = z
  .object({
    tenants_behind: amount.meta({ description: "Tenants whose records D1 did not take at the last attempt." }),
    events_waiting: amount,
    oldest: timestamp.nullable().meta({ description: "When the oldest event that waits happened." }),
  })
  .meta({ id: "ProjectionLag" });

const ready = createRoute({
  method: "get", path: "/readyz", tags: ["Deployment"], ...open("GET /readyz"), summary: "Whether the deployment can do its work",
  description: "The shared D1 and R2, and the configuration, are asked. 503 where one of them fails; leases are granted all the same while only D1 is away.",
  responses: { 200: json(z.object({ status: z.literal("ready"), projection }).meta({ id: "Readiness" }), "All parts answer."), ...problems },
});

const WORDS: Record<Part, string> = {
  configuration: "The configuration is not valid: the log names what to set.",
  d1: "D1 does not answer, or lacks its migrations: leases are granted, records are late and none is lost.",
  r2: "R2 does not answer: models can't be delivered.",
  lag_board: "The lag of the records can't be read.",
};

export function readyRoute(app: OpenAPIHono<AppEnv>): void {
  app.openapi(ready, async (c) => {
    const { failing, lag } = await readinessOf(c.env);
    if (failing.length > 0) throw problem("unavailable", [...failing.map((part) => WORDS[part]), ...(lag && lag.events > 0 ? [waiting(lag)] : [])].join(" "));
    const { tenants, events, oldest } = lag ?? { tenants: 0, events: 0, oldest: null };
    const shown = { tenants_behind: tenants, events_waiting: events, oldest: oldest === null ? null : toTimestamp(oldest) };
    return c.json({ status: "ready" as const, projection: shown }, 200, { "cache-control": "no-store" });
  });
}

const waiting = ({ tenants, events, oldest }: LagSummary) => `${events} events of ${tenants} tenants wait${oldest === null ? "" : `, the oldest since ${toTimestamp(oldest)}`}.`;
