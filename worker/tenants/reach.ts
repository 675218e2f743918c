/** The tenant object at its home, and which homes this isolate has learned of; see home.ts. */
import type { TenantId } from "../../schema/contract/ids.ts";
import { type Env, settingsOf } from "../env.ts";
import type { TenantObject } from "../ledger/tenant-object.ts";
import type { Home } from "./home.ts";

export function objectAt(env: Env, tenant: TenantId, home: Home): DurableObjectStub<TenantObject> {
  if (home === "anywhere") return env.TENANTS.get(env.TENANTS.idFromName(tenant));
  if (settingsOf(env).jurisdictions === "local") return env.TENANTS.get(env.TENANTS.idFromName(`${home}:${tenant}`));
  const namespace = env.TENANTS.jurisdiction(home);
  return namespace.get(namespace.idFromName(tenant));
}

const MAX_KNOWN = 10_000;
const known = new Map<TenantId, Home>();

export const knownHome = (tenant: TenantId): Home => known.get(tenant) ?? "anywhere";

export function rememberHome(tenant: TenantId, home: Home): void {
  if (known.size >= MAX_KNOWN) known.delete(known.keys().next().value as TenantId);
  known.set(tenant, home);
}
