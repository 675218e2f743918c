/**
 * /v1/operator/audit: what the operator did that is in no tenant's audit. Publishing, importing and deleting in the
 * catalogue, its secrets, sign-ins at the console, and which tenants were erased, for their own audit goes with them. It is
 * the chain of the catalogue's object, kept, verified and exported as any tenant's.
 */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { auditEvent, auditVerification, page } from "../../schema/contract/records.ts";
import type { AppEnv } from "../http/app-env.ts";
import { asSent, guarded, json, problems } from "../http/describe.ts";
import { enterCatalog } from "../http/enter.ts";
import { exported, filters, listQuery, listed, verified, verifyQuery } from "./read.ts";

const tags = ["Audit"];

const list = createRoute({
  method: "get", path: "/v1/operator/audit", tags, ...guarded("GET /v1/operator/audit"), summary: "The operator's own audit events",
  description: "What it does to a tenant is in that tenant's audit.",
  request: { query: listQuery },
  responses: { 200: json(page(auditEvent), "Events in the order that was asked for."), ...problems },
});

const exportAll = createRoute({
  method: "get", path: "/v1/operator/audit/export", tags, ...guarded("GET /v1/operator/audit/export"), summary: "The operator's own audit events as NDJSON",
  request: { query: filters },
  responses: { 200: { description: "One event a line.", content: { "application/x-ndjson": { schema: z.string() } } }, ...problems },
});

const verify = createRoute({
  method: "get", path: "/v1/operator/audit/verify", tags, ...guarded("GET /v1/operator/audit/verify"), summary: "Verify the operator's own audit chain",
  description: "As a tenant's is verified.",
  request: { query: verifyQuery },
  responses: { 200: json(auditVerification, "What was found."), ...problems },
});

export function operatorAuditRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(list, async (c) => c.json(await listed(c.env, await enterCatalog(c, "GET /v1/operator/audit"), c.req.valid("query")), 200));
  app.openapi(exportAll, async (c) => asSent(await exported(c.env, await enterCatalog(c, "GET /v1/operator/audit/export"), c.req.valid("query"))));
  app.openapi(verify, async (c) => c.json(await verified(c.env, await enterCatalog(c, "GET /v1/operator/audit/verify"), c.req.valid("query").cursor), 200, { "cache-control": "no-store" }));
}
