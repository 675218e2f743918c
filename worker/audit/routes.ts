/** /v1/tenants/{t}/audit: what happened, in the order of the chain; whether it is as it was written; all of it as NDJSON. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { auditEvent, auditVerification, page, recordsResent } from "../../schema/contract/records.ts";
import type { AppEnv } from "../http/app-env.ts";
import { asSent, guarded, json, noBody, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";
import { LIST_NOTE, exported, filters, listQuery, listed, verified, verifyQuery } from "./read.ts";

const tags = ["Audit"];

const list = createRoute({
  method: "get", path: "/v1/tenants/{t}/audit", tags, ...guarded("GET /v1/tenants/{t}/audit"), summary: "Audit events",
  description: LIST_NOTE,
  request: { params: tenantPath, query: listQuery },
  responses: { 200: json(page(auditEvent), "Events in the order that was asked for."), ...problems },
});

const exportAll = createRoute({
  method: "get", path: "/v1/tenants/{t}/audit/export", tags, ...guarded("GET /v1/tenants/{t}/audit/export"), summary: "Audit events as NDJSON",
  description: "Every event up to now that the filters let pass, oldest first, one JSON object a line. Streamed: a break in it ends the connection, not the file.",
  request: { params: tenantPath, query: filters },
  responses: { 200: { description: "One event a line.", content: { "application/x-ndjson": { schema: z.string() } } }, ...problems },
});

const verify = createRoute({
  method: "get", path: "/v1/tenants/{t}/audit/verify", tags, ...guarded("GET /v1/tenants/{t}/audit/verify"), summary: "Verify the audit chain",
  description: "Recomputes the chain of hashes over the events as they are stored, and holds it against the ledger's own head and the signed heads; then what bills are made of, cost records and sums by day, against the chain and the ledger. Where the chain holds, the head is signed anew.",
  request: { params: tenantPath, query: verifyQuery },
  responses: { 200: json(auditVerification, "What was found."), ...problems },
});

const resend = createRoute({
  method: "put", path: "/v1/tenants/{t}/audit/resend", tags, ...guarded("PUT /v1/tenants/{t}/audit/resend"), summary: "Send D1 the records again",
  description: "All that the ledger still has: its newest 4,096 events with their costs, and all sums by day. For a database that was lost or set back, after a copy of it was restored. What it has stays as it is.",
  request: { params: tenantPath, body: noBody },
  responses: { 200: json(recordsResent, "What was sent."), ...problems },
});

export function auditRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(list, async (c) => c.json(await listed(c.env, enter(c, "GET /v1/tenants/{t}/audit"), c.req.valid("query")), 200));
  app.openapi(exportAll, async (c) => asSent(await exported(c.env, enter(c, "GET /v1/tenants/{t}/audit/export"), c.req.valid("query"))));
  app.openapi(verify, async (c) => c.json(await verified(c.env, enter(c, "GET /v1/tenants/{t}/audit/verify"), c.req.valid("query").cursor), 200, { "cache-control": "no-store" }));
  app.openapi(resend, async (c) => {
    const { object, call } = enter(c, "PUT /v1/tenants/{t}/audit/resend");
    return c.json(unwrap(await object.records.resend(call)), 200);
  });
}
