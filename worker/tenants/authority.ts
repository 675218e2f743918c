/**
 * The tenant object as the Worker sees it: its desks, asynchronous. A call that the platform fails (overload, reset,
 * network) is `unavailable`; the caller may send it again with its idempotency key.
 */
import type { TenantId } from "../../schema/contract/ids.ts";
import type { Tenant, TenantCreate } from "../../schema/contract/tenants.ts";
import type { Env } from "../env.ts";
import { problem } from "../http/problem.ts";
import type { Result } from "../ledger/result.ts";
import type { Call } from "../ledger/room.ts";
import type { Desks } from "../ledger/tenant-object.ts";

type Remote<Desk> = {
  readonly [Name in keyof Desk as Desk[Name] extends (...args: never[]) => unknown ? Name : never]: Desk[Name] extends (...args: infer Args) => infer Answer
    ? (...args: Args) => Promise<Awaited<Answer>>
    : never;
};

export type TenantAuthority = { readonly [Name in keyof Desks]: Remote<Desks[Name]> } & {
  provision(call: Call, body: TenantCreate): Promise<Result<Tenant>>;
};

export function authorityOf(env: Env, tenant: TenantId): TenantAuthority {
  const stub = env.TENANTS.get(env.TENANTS.idFromName(tenant));
  const desk = (name: keyof Desks) =>
    new Proxy({}, { get: (_, method) => (...args: unknown[]) => guarded(`${name}.${String(method)}`, () => stub.ask(name, String(method), args)) });
  const provision = (call: Call, body: TenantCreate) => guarded("provision", () => stub.provision(call, body) as Promise<Result<Tenant>>);
  return { tenants: desk("tenants"), keys: desk("keys"), models: desk("models"), leases: desk("leases"), records: desk("records"), audit: desk("audit"), provision } as TenantAuthority;
}

async function guarded<T>(method: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    console.error(JSON.stringify({ level: "error", message: "the tenant object failed", method, error: String(cause) }));
    throw problem("unavailable", "The tenant's ledger did not answer. Try again; with the same Idempotency-Key nothing is done twice.");
  }
}
