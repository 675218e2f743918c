/**
 * The one place that chooses where a tenant's rows and objects are.
 *
 * - `pooled`: the shared D1 database and R2 bucket, which it reaches through tenant-bound handles alone.
 * - `full`: a D1 database and an R2 bucket of its own, bound in wrangler.toml and named in `TENANT_STORES`. Nothing of
 *   such a tenant is ever in the shared ones.
 */
import type { TenantId } from "../../schema/contract/ids.ts";
import type { IsolationLevel } from "./credential.ts";
import { type Env, settingsOf } from "../env.ts";

export interface Stores {
  readonly d1: D1Database;
  readonly r2: R2Bucket;
}

/** Throws an Error that says what to bind where a `full` tenant has no stores. */
export function storesOf(tenant: TenantId, isolation: IsolationLevel, env: Env): Stores {
  if (isolation === "pooled") return { d1: env.DB, r2: env.BLOBS };
  const stores = ownStores(tenant, env);
  if (!stores) throw new Error(`configuration: ${howToBind(tenant)}`);
  return stores;
}

/** Null where the configuration names none for this tenant. */
export function ownStores(tenant: TenantId, env: Env): Stores | null {
  const names = settingsOf(env).tenantStores.get(tenant);
  return names ? { d1: bound<D1Database>(env, names.d1), r2: bound<R2Bucket>(env, names.r2) } : null;
}

/** Every D1 database of this deployment: the shared one first. */
export function allDatabases(env: Env): D1Database[] {
  return [env.DB, ...[...settingsOf(env).tenantStores.values()].map(({ d1 }) => bound<D1Database>(env, d1))];
}

export function howToBind(tenant: TenantId): string {
  const binding = tenant.toUpperCase().replaceAll("-", "_");
  return `bind a D1 database (DB_${binding}) and an R2 bucket (BLOBS_${binding}) in wrangler.toml, apply the migrations to it, and name both in TENANT_STORES: { "${tenant}" = { d1 = "DB_${binding}", r2 = "BLOBS_${binding}" } }`;
}

function bound<T>(env: Env, name: string): T {
  return (env as unknown as Record<string, T>)[name] as T; // settingsOf has seen that it is bound
}
