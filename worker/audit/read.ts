/** What a chain of the audit is asked, whoever's it is: a page of it, all of it, whether it is as it was written. */
import { z } from "@hono/zod-openapi";
import { LAST_INSTANT, timestamp, toTimestamp } from "../../schema/contract/amounts.ts";
import { AUDIT_ACTIONS, type AuditEvent, type AuditVerification, BREAK_REASONS } from "../../schema/contract/records.ts";
import type { Env } from "../env.ts";
import { pageQuery } from "../http/describe.ts";
import type { Entered } from "../http/enter.ts";
import { problem, unwrap } from "../http/problem.ts";
import { EMPTY_CHAIN } from "../ledger/audit-chain.ts";
import { type AuditFilter, MOST_READ } from "../tenants/audit-records.ts";
import { asVerified } from "../tenants/credential.ts";
import { recordsOf } from "../tenants/enter-records.ts";
import { TenantHeads } from "../tenants/heads.ts";
import { TenantRecords } from "../tenants/records.ts";
import { ndjson } from "./ndjson.ts";
import type { StoredEvent } from "./verify-chain.ts";
import { isPlaceIn, verifyFrom } from "./verify.ts";

export const filters = z.object({
  action: z.enum(AUDIT_ACTIONS).optional(),
  user: z.string().max(128).optional(),
  model: z.string().max(64).optional(),
  request_id: z.string().max(128).optional().meta({ description: "Of the inference or of the call: details.call_request_id, where the two differ." }),
  since: timestamp.optional().meta({ description: "Events at or after this instant." }),
  until: timestamp.optional().meta({ description: "Events before this instant." }),
});
type Filters = z.infer<typeof filters>;

export const listQuery = pageQuery.extend(filters.shape).extend({
  order: z.enum(["asc", "desc"]).default("asc").meta({ description: "asc: oldest first." }),
  cursor: z.string().regex(/^\d{1,15}$/).optional(),
});
type ListQuery = z.infer<typeof listQuery>;
export const LIST_NOTE = `Filters on a user, a request, or an action other than LEASE_GRANTED and INFERENCE_EXECUTED are answered from an index. For others ${MOST_READ} events are read for each page: it may have fewer than \`limit\`, or none, and a \`next_cursor\` all the same.`;

export const verifyQuery = z.object({ cursor: z.string().regex(/^\d{1,15}\.[0-9a-f]{64}\.\d{1,15}$/).optional() });

export async function listed(env: Env, entered: Entered, { limit, cursor, order, ...query }: ListQuery): Promise<{ data: AuditEvent[]; next_cursor: string | null }> {
  const { records, tenant } = await recordsOf(env, entered);
  const filter = await records.audit.placed(filterOf(query));
  const { events, next } = await records.audit.find(filter, { order, beyond: cursor === undefined ? undefined : Number(cursor), limit });
  return { data: events.map((row) => shown(tenant, row)), next_cursor: next === null ? null : String(next) };
}

export async function exported(env: Env, entered: Entered, query: Filters): Promise<Response> {
  const { records, tenant } = await recordsOf(env, entered);
  const placed = await records.audit.placed(filterOf(query));
  // Not beyond what there is now: an export of a busy tenant ends.
  const filter = { ...placed, to: Math.min(placed.to ?? Number.MAX_SAFE_INTEGER, 1 + Number(await records.audit.lastSeq())) };
  const lines = ndjson(async (after) => {
    const { events, next } = await records.audit.find(filter, { order: "asc", beyond: after, limit: 500 });
    return { items: events.map((row) => shown(tenant, row)), next };
  });
  return new Response(lines, { headers: { "content-type": "application/x-ndjson", "content-disposition": `attachment; filename="audit-${tenant}.ndjson"`, "cache-control": "no-store" } });
}

export async function verified(env: Env, { object, call, tenant }: Entered, cursor: string | undefined): Promise<AuditVerification> {
  const { identity, lag, live } = unwrap(await object.audit.chain(call));
  if (lag.error !== null) throw problem("unavailable", `The records are behind by ${lag.events} events; none is lost. Try again.`);
  const start = startOf(cursor);
  if (!isPlaceIn(live.sent, start)) throw problem("invalid-request", "cursor: it names no event of this chain. Begin without one.");
  const records = TenantRecords.for(asVerified(identity), env);
  const heads = TenantHeads.for(asVerified(identity), env);
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
  return {
    valid: fault === null && discrepancies.length === 0,
    events: upTo.seq,
    head: { seq: live.sent.seq, hash: live.sent.hash, at: toTimestamp(live.sent.at), signed: signed && (await heads.get(signed)) },
    ...(fault && { broken_at: fault.brokenAt, reason: fault.reason, detail: BREAK_REASONS[fault.reason] }),
    discrepancies: [...discrepancies],
    next_cursor: fault || complete ? null : `${upTo.seq}.${upTo.hash}.${upTo.at}`,
  };
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
