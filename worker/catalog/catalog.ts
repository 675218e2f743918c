/**
 * The operator's catalogue has a tenant object and an R2 prefix of its own, under an id that no tenant can take: drafts,
 * chunks and commits are those of any tenant. Its audit is the operator's: what it does that is no tenant's (audit/operator-routes.ts). No key is ever made for it; the operator's alone is let in.
 */
import { type TenantCreate, tenantCreate } from "../../schema/contract/tenants.ts";
import type { RequestId, TenantId } from "../../schema/contract/ids.ts";
import type { Env } from "../env.ts";
import { unwrap } from "../http/problem.ts";
import type { Call } from "../ledger/room.ts";
import { authorityOf } from "../tenants/authority.ts";
import { contextOf } from "../tenants/context.ts";
import { CATALOG } from "./catalog-id.ts";

const MADE: TenantCreate = { ...tenantCreate.parse({ id: "catalog", name: "Catalogue", allow_control_flow: true }), id: CATALOG };

let open: Promise<void> | null = null;

/** Sees that the catalogue's object is there. To be called for the operator alone. */
export function openCatalog(env: Env, requestId: RequestId): Promise<void> {
  open ??= makeCatalog(env, requestId).catch((error: unknown) => {
    open = null;
    throw error;
  });
  return open;
}

/** What this deployment asks of a tenant's object on the operator's behalf. */
export const operatorCall = (tenant: TenantId, requestId: RequestId): Call => ({ ...contextOf(tenant, requestId), presented: { kind: "operator" }, access: ["operator"] });

export async function makeCatalog(env: Env, requestId: RequestId): Promise<void> {
  const made = await authorityOf(env, CATALOG).provision(operatorCall(CATALOG, requestId), MADE);
  if (!made.ok && made.refusal.code !== "conflict") unwrap(made);
}
