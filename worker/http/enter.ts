/**
 * The one door from a request to a tenant object: credential, tenant, ways in, request id and idempotency key.
 *
 * - The tenant is the credential's; the path's must be the same (or the operator's choice), else the same 404 as a
 *   tenant that does not exist. No body and no query ever names the tenant that is acted on.
 */
import type { Context } from "hono";
import { type TenantId, tenantId } from "../../schema/contract/ids.ts";
import { canonicalJson, sha256Hex } from "../ledger/audit-chain.ts";
import type { IdempotentCall } from "../ledger/idempotency.ts";
import type { Call } from "../ledger/tenant-object.ts";
import { type TenantAuthority, authorityOf } from "../tenants/authority.ts";
import type { Presented } from "../tenants/credential.ts";
import { ACCESS, type WayIn } from "./access.ts";
import type { AppEnv } from "./app-env.ts";
import { presentedBy } from "./present.ts";
import { problem } from "./problem.ts";

export interface Entered {
  readonly call: Call;
  readonly tenant: TenantId;
  readonly object: TenantAuthority;
  readonly presented: Presented;
}

/** Throws a ProblemError where the request may not go on. `body`: of a POST that creates, for its idempotency key. */
export async function enter(c: Context<AppEnv>, way: WayIn, body?: unknown): Promise<Entered> {
  const presented = await presentedBy(c);
  const tenant = tenantFor(c, presented);
  return { presented, tenant, object: authorityOf(c.env, tenant), call: callOf(c, way, presented, body) };
}

export function callOf(c: Context<AppEnv>, way: WayIn, presented: Presented, body?: unknown): Call {
  return { presented, access: ACCESS[way], requestId: c.get("requestId"), idempotent: body === undefined ? null : idempotentCall(c, body) };
}

function tenantFor(c: Context<AppEnv>, presented: Presented): TenantId {
  const named = c.req.param("t");
  if (named === undefined) {
    if (presented.kind === "operator") throw problem("forbidden", "This is not for the operator key. Use a key of the tenant.");
    return presented.tenant;
  }
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
  return { key, bodySha256: sha256Hex(`${c.req.method} ${c.req.path}\n${canonicalJson(body)}`) };
}
