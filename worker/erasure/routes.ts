/** DELETE /v1/tenants/{t} and its progress. The operator's alone. */
import { type OpenAPIHono, createRoute } from "@hono/zod-openapi";
import { type Erasure, erasure } from "../../schema/contract/erasure.ts";
import type { TenantId } from "../../schema/contract/ids.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import type { Env } from "../env.ts";
import type { AppEnv } from "../http/app-env.ts";
import { guarded, json, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";
import type { Result } from "../ledger/result.ts";
import { archivedCertificate } from "./archive.ts";
import { readCertificate } from "./certificate.ts";

const tags = ["Tenants"];

const remove = createRoute({
  method: "delete", path: "/v1/tenants/{t}", tags, ...guarded("DELETE /v1/tenants/{t}"), summary: "Erase a tenant",
  description: "Its credentials stop at once. Object, rows, blobs and secrets are then removed, and a signed certificate says what was. Its id is never given again. The same request again tells how far it is.",
  request: { params: tenantPath },
  responses: { 200: json(erasure, "Erased."), 202: json(erasure, "Being erased."), ...problems },
});

const read = createRoute({
  method: "get", path: "/v1/tenants/{t}/erasure", tags, ...guarded("GET /v1/tenants/{t}/erasure"), summary: "How far the erasure of a tenant is",
  request: { params: tenantPath },
  responses: { 200: json(erasure, "The erasure; once done, with its certificate."), ...problems },
});

export function erasureRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(remove, async (c) => {
    const { object, call, tenant } = enter(c, "DELETE /v1/tenants/{t}");
    const state = unwrap(await orArchived(await object.erasure(call, true), tenant, c.env));
    const headers = { location: `/v1/tenants/${tenant}/erasure` };
    return state.state === "done" ? c.json(state, 200, headers) : c.json(state, 202, headers);
  });

  app.openapi(read, async (c) => {
    const { object, call, tenant } = enter(c, "GET /v1/tenants/{t}/erasure");
    return c.json(unwrap(await orArchived(await object.erasure(call, false), tenant, c.env)), 200, { "cache-control": "no-store" });
  });
}

/** An object that lost its tombstone knows nothing; the archive does. */
async function orArchived(answer: Result<Erasure>, tenant: TenantId, env: Env): Promise<Result<Erasure>> {
  if (answer.ok || answer.refusal.code !== "not-found") return answer;
  const certificate = await archivedCertificate(env, tenant);
  if (certificate === null) return answer;
  const { started_at, iat, erased } = readCertificate(certificate);
  return { ok: true, value: { tenant, state: "done", step: null, started_at, finished_at: toTimestamp(iat * 1000), failures: 0, certificate, erased } };
}
