/**
 * The one door from a request to a tenant object: credential, tenant, ways in, request id and idempotency key.
 *
 * - The tenant is the credential's; the path's must be the same (or the operator's choice), else the same 404 as a
 *   tenant that does not exist. No body and no query ever names the tenant that is acted on.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { type RequestId, type TenantId, tenantId } from "../../schema/contract/ids.ts";
import { openCatalog } from "../catalog/catalog.ts";
import { CATALOG } from "../catalog/catalog-id.ts";
import { canonicalJson, sha256Hex } from "../ledger/audit-chain.ts";
import type { IdempotentCall } from "../ledger/idempotency.ts";
import type { Call } from "../ledger/room.ts";
import { type TenantAuthority, authorityOf } from "../tenants/authority.ts";
import { type About, contextOf } from "../tenants/context.ts";
import { type Access, type Presented, isDataPlane } from "../tenants/credential.ts";
import { ACCESS, SIGN_IN, type WayIn } from "./access.ts";
import type { AppEnv } from "./app-env.ts";
import { presentedBy } from "./present.ts";
import { problem } from "./problem.ts";
import { completeLimits } from "./ratelimit.ts";

export interface Entered {
  readonly call: Call;
  readonly tenant: TenantId;
  readonly object: TenantAuthority;
  readonly presented: Presented;
}

/**
 * Reads the credential and fixes the tenant, first of all: a request without one learns nothing else of what is wrong.
 * Without a tenant in the path the operator's ways are closed here: there is no object to ask about another credential.
 */
export const admit = (way: WayIn) => {
  const access: readonly Access[] = ACCESS[way];
  return createMiddleware<AppEnv>(async (c, next) => {
    const presented = await presentedBy(c, way === SIGN_IN);
    c.set("presented", presented);
    const tenant = tenantFor(c.req.param("t"), presented);
    if (c.req.param("t") === undefined) {
      if (presented.kind === "operator" && !access.includes("operator")) throw problem("forbidden", "This is not for the operator key. Use a key of the tenant.");
      if (presented.kind !== "operator" && access.every((open) => open === "operator")) throw problem("forbidden", "This needs the operator key.");
    }
    c.set("tenant", tenant);
    await next();
    if (isDataPlane(access)) completeLimits(c, presented.kind === "key" ? `${presented.hash} ${presented.fromEmbed} ${presented.origin}` : holderOf(presented));
  });
};

/** A call that the caller named in no header goes by the request id of its body: the answer then says what the audit does. */
export function nameCall(c: Context<AppEnv>, named: RequestId | undefined): void {
  if (named !== undefined && !c.get("requestNamed")) c.set("requestId", named);
}

/** To be called on a guarded route. `body`: of a POST that creates, for its idempotency key. `about`: for whom. */
export function enter(c: Context<AppEnv>, way: WayIn, body?: unknown, about?: About): Entered {
  const presented = c.get("presented");
  const tenant = c.get("tenant");
  if (tenant === null) throw new Error(`${way} names no tenant: the operator has none of its own`);
  return { presented, tenant, object: authorityOf(c.env, tenant), call: callOf(c, way, tenant, body, about) };
}

/** The same for the operator's catalogue, which is made when it is first asked for. */
export async function enterCatalog(c: Context<AppEnv>, way: WayIn, body?: unknown): Promise<Entered> {
  await openCatalog(c.env, c.get("requestId"));
  return { presented: c.get("presented"), tenant: CATALOG, object: authorityOf(c.env, CATALOG), call: callOf(c, way, CATALOG, body) };
}

export function callOf(c: Context<AppEnv>, way: WayIn, tenant: TenantId, body?: unknown, about?: About): Call {
  return { ...contextOf(tenant, c.get("requestId"), about), presented: c.get("presented"), access: ACCESS[way], idempotent: body === undefined ? null : idempotentCall(c, body) };
}

function tenantFor(named: string | undefined, presented: Presented): TenantId | null {
  if (named === undefined) return presented.kind === "operator" ? null : presented.tenant;
  const parsed = tenantId.safeParse(named);
  if (!parsed.success || (presented.kind !== "operator" && presented.tenant !== parsed.data)) {
    throw problem("not-found", "There is no such tenant, or this credential is not for it.");
  }
  return parsed.data;
}

function idempotentCall(c: Context<AppEnv>, body: unknown): IdempotentCall | null {
  const key = c.req.header("idempotency-key");
  if (key === undefined) return null;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw problem("invalid-request", "Idempotency-Key is 1 to 255 visible ASCII characters.");
  return { by: holderOf(c.get("presented")), key, bodySha256: sha256Hex(`${c.req.method} ${c.req.path}\n${canonicalJson(body)}`) };
}

/** One name for each credential: answers are never repeated to another one, which may not have been given them. */
function holderOf(presented: Presented): string {
  switch (presented.kind) {
    case "operator":
      return "operator";
    case "session":
      return presented.keyId;
    case "key":
      return presented.hash;
    case "lease":
      return presented.leaseId;
  }
}
