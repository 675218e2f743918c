/** /v1/leases: grant, state, usage. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { leaseId } from "../../schema/contract/ids.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import { type LeaseGranted, leaseCreate, leaseGranted, leaseState, usageReport } from "../../schema/contract/leases.ts";
import { settingsOf } from "../env.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, problems } from "../http/describe.ts";
import { enter, nameCall } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";
import { limitsOf } from "../http/ratelimit.ts";
import { heed, refuseFlood } from "./gate.ts";
import { signLease } from "./token.ts";

const tags = ["Leases"];
const leasePath = z.object({ id: leaseId });

const grant = createRoute({
  method: "post", path: "/v1/leases", tags, ...guarded("POST /v1/leases", refuseFlood), summary: "Ask for a lease",
  description: "Holds `tokens` of the tenant's quota for one user and one model. A refusal says which limit, how much is left and when it resets. `quota` is as it was right after the grant, in a repeat too; the RateLimit field says how the limits stand now.",
  request: { headers: idempotencyHeader, body: body(leaseCreate) },
  responses: { 201: json(leaseGranted, "The lease."), ...problems },
});

const read = createRoute({
  method: "get", path: "/v1/leases/{id}", tags, ...guarded("GET /v1/leases/{id}"), summary: "State and balance of a lease",
  request: { params: leasePath },
  responses: { 200: json(leaseState, "The lease as it stands."), ...problems },
});

const report = createRoute({
  method: "post", path: "/v1/leases/{id}/usage", tags, ...guarded("POST /v1/leases/{id}/usage"), summary: "Report usage",
  description: "Never above the hold. The same `seq` with the same body answers as before. `final` settles the lease and returns what was not used.",
  request: { params: leasePath, headers: idempotencyHeader, body: body(usageReport) },
  responses: { 200: json(leaseState, "The lease after the report."), ...problems },
});

export function leaseRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(grant, async (c) => {
    const ask = c.req.valid("json");
    nameCall(c, ask.request_id);
    const entered = enter(c, "POST /v1/leases", ask, ask);
    const answer = await entered.object.leases.grant(entered.call, ask);
    heed(c, answer, entered);
    const granted = unwrap(answer);
    const settings = settingsOf(c.env);
    const { next } = granted;
    const lease: LeaseGranted = {
      lease_id: granted.leaseId,
      lease: await signLease(granted, settings, ask.dpop_jkt),
      expires_at: toTimestamp(granted.expiresAt),
      reports_until: toTimestamp(granted.reportsUntil),
      hold: granted.hold,
      calls: granted.calls,
      model: { id: granted.model, revision: granted.revision, manifest_url: `/v1/models/${granted.model}/manifest`, manifest_sha256: granted.manifestSha256, ...(next && { next: { revision: next.revision, manifest_sha256: next.manifestSha256, until: next.until === null ? null : toTimestamp(next.until) } }) },
      content_key: granted.contentKey,
      quota: granted.quota,
    };
    return c.json(lease, 201, { ...limitsOf(c, granted.standing), "cache-control": "no-store", ...(ask.dpop_jkt !== undefined && { "dpop-nonce": granted.dpopNonce }) });
  });

  app.openapi(read, async (c) => {
    const { object, call } = enter(c, "GET /v1/leases/{id}");
    const { state, quota } = unwrap(await object.leases.read(call, c.req.valid("param").id));
    return c.json(state, 200, { ...limitsOf(c, quota), "cache-control": "no-store" });
  });

  app.openapi(report, async (c) => {
    const usage = c.req.valid("json");
    nameCall(c, usage.request_id);
    const { object, call } = enter(c, "POST /v1/leases/{id}/usage", usage);
    const { state, quota } = unwrap(await object.leases.report(call, c.req.valid("param").id, usage));
    return c.json(state, 200, limitsOf(c, quota));
  });
}
