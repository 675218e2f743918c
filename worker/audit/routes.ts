/** /v1/tenants/{t}/audit: what happened, in the order of the chain; whether it is as it was written; all of it as NDJSON. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { LAST_INSTANT, timestamp, toTimestamp } from "../../schema/contract/amounts.ts";
import { AUDIT_ACTIONS, type AuditEvent, BREAK_REASONS, auditEvent, auditVerification, page } from "../../schema/contract/records.ts";
import type { AppEnv } from "../http/app-env.ts";
import { asSent, guarded, json, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { problem, unwrap } from "../http/problem.ts";
import { EMPTY_CHAIN } from "../ledger/audit-chain.ts";
import { type AuditFilter, MOST_READ } from "../tenants/audit-records.ts";
import { asVerified } from "../tenants/credential.ts";
import { enterRecords } from "../tenants/enter-records.ts";
import { TenantHeads } from "../tenants/heads.ts";
import { TenantRecords } from "../tenants/records.ts";
import { ndjson } from "./ndjson.ts";
import type { StoredEvent } from "./verify-chain.ts";
import { isPlaceIn, verifyFrom } from "./verify.ts";

const tags = ["Audit"];

const filters = z.object({
  action: z.enum(AUDIT_ACTIONS).optional(),
  user: z.string().max(128).optional(),
  model: z.string().max(64).optional(),
  request_id: z.string().max(128).optional().meta({ description: "Of the inference or of the call: details.call_request_id, where the two differ." }),
  since: timestamp.optional().meta({ description: "Events at or after this instant." }),
  until: timestamp.optional().meta({ description: "Events before this instant." }),
});
type Filters = z.infer<typeof filters>;

const place = z.string().regex(/^\d{1,15}$/).optional();

const list = createRoute({
  method: "get", path: "/v1/tenants/{t}/audit", tags, ...guarded("GET /v1/tenants/{t}/audit"), summary: "Audit events",
  description: `Filters on a user, a request, or an action other than LEASE_GRANTED and INFERENCE_EXECUTED are answered from an index. For others ${MOST_READ} events are read for each page: it may have fewer than \`limit\`, or none, and a \`next_cursor\` all the same.`,
  request: {
    params: tenantPath,
    query: pageQuery.extend(filters.shape).extend({ order: z.enum(["asc", "desc"]).default("asc").meta({ description: "asc: oldest first." }), cursor: place }),
  },
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
  request: { params: tenantPath, query: z.object({ cursor: z.string().regex(/^\d{1,15}\.[0-9a-f]{64}\.\d{1,15}$/).optional() }) },
  responses: { 200: json(auditVerification, "What was found."), ...problems },
});

export function auditRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(list, async (c) => {
    const { records, tenant } = await enterRecords(c, "GET /v1/tenants/{t}/audit");
    const { limit, cursor, order, ...query } = c.req.valid("query");
    const filter = await records.audit.placed(filterOf(query));
    const { events, next } = await records.audit.find(filter, { order, beyond: cursor === undefined ? undefined : Number(cursor), limit });
    return c.json({ data: events.map((row) => shown(tenant, row)), next_cursor: next === null ? null : String(next) }, 200);
  });

  app.openapi(exportAll, async (c) => {
    const { records, tenant } = await enterRecords(c, "GET /v1/tenants/{t}/audit/export");
    const placed = await records.audit.placed(filterOf(c.req.valid("query")));
    // Not beyond what there is now: an export of a busy tenant ends.
    const filter = { ...placed, to: Math.min(placed.to ?? Number.MAX_SAFE_INTEGER, 1 + Number(await records.audit.lastSeq())) };
    const lines = ndjson(async (after) => {
      const { events, next } = await records.audit.find(filter, { order: "asc", beyond: after, limit: 500 });
      return { items: events.map((row) => shown(tenant, row)), next };
    });
    const headers = { "content-type": "application/x-ndjson", "content-disposition": `attachment; filename="audit-${tenant}.ndjson"`, "cache-control": "no-store" };
    return asSent(new Response(lines, { headers }));
  });

  app.openapi(verify, async (c) => {
    const { object, call, tenant } = enter(c, "GET /v1/tenants/{t}/audit/verify");
    const { identity, lag, live } = unwrap(await object.audit.chain(call));
    if (lag.error !== null) throw problem("unavailable", `The records are behind by ${lag.events} events; none is lost. Try again.`);
    const start = startOf(c.req.valid("query").cursor);
    if (!isPlaceIn(live.sent, start)) throw problem("invalid-request", "cursor: it names no event of this chain. Begin without one.");
    const records = TenantRecords.for(asVerified(identity), c.env);
    const heads = TenantHeads.for(asVerified(identity), c.env);
    const { upTo, complete, fault, discrepancies } = await verifyFrom(start, {
      tenant,
      heads,
      live,
      events: (after, limit) => records.audit.chain(after, limit),
      bills: {
        d1: records.bills,
        ledger: async (after, upTo, limit) => unwrap(await object.records.sums(call, after, upTo, limit)),
        postings: async () => unwrap(await object.records.unlikePostings(call)),
      },
      lastSeq: () => records.audit.lastSeq(),
      liveNow: async () => unwrap(await object.audit.chain(call)).live,
    });
    const signed = complete ? unwrap(await object.audit.sign(call)).signed : live.signed;
    return c.json(
      {
        valid: fault === null && discrepancies.length === 0,
        events: upTo.seq,
        head: { seq: live.sent.seq, hash: live.sent.hash, at: toTimestamp(live.sent.at), signed: signed && (await heads.get(signed)) },
        ...(fault && { broken_at: fault.brokenAt, reason: fault.reason, detail: BREAK_REASONS[fault.reason] }),
        discrepancies: [...discrepancies],
        next_cursor: fault || complete ? null : `${upTo.seq}.${upTo.hash}.${upTo.at}`,
      },
      200,
      { "cache-control": "no-store" },
    );
  });
}

function startOf(cursor: string | undefined) {
  if (cursor === undefined) return EMPTY_CHAIN;
  const [seq, hash, at] = cursor.split(".") as [string, string, string];
  return { seq: Number(seq), hash, at: Number(at) };
}

function filterOf(query: Filters): AuditFilter {
  return {
    action: query.action,
    user: query.user,
    model: query.model,
    requestId: query.request_id,
    since: query.since === undefined ? undefined : Date.parse(query.since),
    until: query.until === undefined ? undefined : Date.parse(query.until),
  };
}

/** A row that somebody altered is shown too, as far as it can be: it hides no other, and verification says what is wrong. */
const shown = (tenant: string, row: StoredEvent): AuditEvent => ({
  id: `evt_${tenant}_${row.seq}`,
  seq: row.seq,
  at: toTimestamp(Math.abs(row.at) <= LAST_INSTANT ? row.at : 0),
  action: row.action as AuditEvent["action"],
  actor: row.actor,
  user: row.userId,
  model: row.model,
  request_id: row.requestId,
  details: detailsOf(row.details),
  prev_hash: row.prevHash,
  hash: row.hash,
});

function detailsOf(text: string): Record<string, unknown> {
  try {
    const details: unknown = JSON.parse(text);
    if (typeof details === "object" && details !== null && !Array.isArray(details)) return details as Record<string, unknown>;
  } catch {
    // no JSON: told as the text that it is
  }
  return { unreadable: String(text) };
}
