/** /v1/tenants/{t}/audit: what happened, in the order of the chain. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { timestamp, toTimestamp } from "../../schema/contract/amounts.ts";
import { AUDIT_ACTIONS, type AuditEvent, auditEvent, page } from "../../schema/contract/records.ts";
import type { AppEnv } from "../http/app-env.ts";
import { guarded, json, pageOf, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { enterRecords } from "../tenants/enter-records.ts";

const filters = pageQuery.extend({
  action: z.enum(AUDIT_ACTIONS).optional(),
  user: z.string().max(128).optional(),
  model: z.string().max(64).optional(),
  request_id: z.string().max(128).optional(),
  since: timestamp.optional(),
  until: timestamp.optional(),
  cursor: z.string().regex(/^\d{1,15}$/).optional(),
});

const list = createRoute({
  method: "get", path: "/v1/tenants/{t}/audit", tags: ["Audit"], ...guarded("GET /v1/tenants/{t}/audit"), summary: "Audit events",
  request: { params: tenantPath, query: filters },
  responses: { 200: json(page(auditEvent), "Events, oldest first."), ...problems },
});

export function auditRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(list, async (c) => {
    const { records, tenant } = await enterRecords(c, "GET /v1/tenants/{t}/audit");
    const query = c.req.valid("query");
    const rows = await records.auditEvents({
      action: query.action,
      user: query.user,
      model: query.model,
      requestId: query.request_id,
      since: query.since === undefined ? undefined : Date.parse(query.since),
      until: query.until === undefined ? undefined : Date.parse(query.until),
      after: Number(query.cursor ?? 0),
      limit: query.limit + 1,
    });
    const show = (row: (typeof rows)[number]): AuditEvent => ({
      id: `evt_${tenant}_${row.seq}`,
      seq: row.seq,
      at: toTimestamp(row.at),
      action: row.action as AuditEvent["action"],
      actor: row.actor,
      user: row.userId,
      model: row.model,
      request_id: row.requestId,
      details: JSON.parse(row.details) as Record<string, unknown>,
      prev_hash: row.prevHash,
      hash: row.hash,
    });
    return c.json(pageOf(rows, query.limit, (row) => String(row.seq), show), 200);
  });
}
