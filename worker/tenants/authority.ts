/**
 * The tenant object as the Worker sees it. A call that the platform fails (overload, reset, network) is `unavailable`;
 * the caller may send it again with its idempotency key.
 */
import type { DurableObject } from "cloudflare:workers";
import type { TenantId } from "../../schema/contract/ids.ts";
import type { Env } from "../env.ts";
import type { TenantObject } from "../ledger/tenant-object.ts";
import { problem } from "../http/problem.ts";

type Methods = Omit<TenantObject, keyof DurableObject>;

/** Every method of the tenant object, asynchronous. */
export type TenantAuthority = {
  readonly [Name in keyof Methods]: Methods[Name] extends (...args: infer Args) => infer Answer ? (...args: Args) => Promise<Awaited<Answer>> : never;
};

export function authorityOf(env: Env, tenant: TenantId): TenantAuthority {
  const stub = env.TENANTS.get(env.TENANTS.idFromName(tenant)) as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  return new Proxy({} as TenantAuthority, {
    get: (_, name) => async (...args: unknown[]) => {
      try {
        return await (stub[name as string] as (...args: unknown[]) => Promise<unknown>)(...args);
      } catch (cause) {
        console.error(JSON.stringify({ level: "error", message: "the tenant object failed", method: String(name), error: String(cause) }));
        throw problem("unavailable", "The tenant's ledger did not answer. Try again; with the same Idempotency-Key nothing is done twice.");
      }
    },
  });
}
