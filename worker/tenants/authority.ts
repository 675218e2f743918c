/**
 * The tenant object as the Worker sees it: its desks, asynchronous. A call that the platform fails (overload, reset,
 * network) is `unavailable`; the caller may send it again with its idempotency key.
 */
import type { TenantId } from "../../schema/contract/ids.ts";
import type { Tenant, TenantCreate } from "../../schema/contract/tenants.ts";
import type { Erasure } from "../../schema/contract/erasure.ts";
import { archivedCertificate } from "../erasure/archive.ts";
import { erasedId } from "../erasure/progress.ts";
import type { Env } from "../env.ts";
import { problem } from "../http/problem.ts";
import { type Result, refuse } from "../ledger/result.ts";
import type { Call } from "../ledger/room.ts";
import type { Desks, TenantObject } from "../ledger/tenant-object.ts";
import { homeOfRegion, isSignpost } from "./home.ts";
import { howToBind, ownStores } from "./stores.ts";
import { knownHome, objectAt, rememberHome } from "./reach.ts";

type Remote<Desk> = {
  readonly [Name in keyof Desk as Desk[Name] extends (...args: never[]) => unknown ? Name : never]: Desk[Name] extends (...args: infer Args) => infer Answer
    ? (...args: Args) => Promise<Awaited<Answer>>
    : never;
};

export type TenantAuthority = { readonly [Name in keyof Desks]: Remote<Desks[Name]> } & {
  provision(call: Call, body: TenantCreate): Promise<Result<Tenant>>;
  /** Where the erasure of this tenant is; `start`: begins it where there is none. */
  erasure(call: Call, start: boolean): Promise<Result<Erasure>>;
};

export function authorityOf(env: Env, tenant: TenantId): TenantAuthority {
  const whole: Pick<TenantAuthority, "provision" | "erasure"> = {
    provision: (call, body) => guarded("provision", () => provisionAt(env, tenant, call, body)),
    erasure: (call, start) => guarded("erasure", () => atHome(env, tenant, (stub) => stub.erasure(call, start)) as Promise<Result<Erasure>>),
  };
  // A call uses one desk of many: each is made when it is named.
  return new Proxy(whole as TenantAuthority, { get: (made, name) => made[name as keyof TenantAuthority] ?? deskOf(env, tenant, name as keyof Desks) });
}

const deskOf = (env: Env, tenant: TenantId, name: keyof Desks) =>
  new Proxy({}, { get: (_, method) => (...args: unknown[]) => guarded(`${name}.${String(method)}`, () => atHome(env, tenant, (stub) => stub.ask(name, String(method), args))) });

async function atHome(env: Env, tenant: TenantId, ask: (stub: DurableObjectStub<TenantObject>) => Promise<unknown>): Promise<unknown> {
  const answer = await ask(objectAt(env, tenant, knownHome(tenant)));
  if (!isSignpost(answer)) return answer;
  rememberHome(tenant, answer.movedTo);
  return ask(objectAt(env, tenant, answer.movedTo));
}

async function provisionAt(env: Env, tenant: TenantId, call: Call, body: TenantCreate): Promise<Result<Tenant>> {
  if ((await archivedCertificate(env, tenant)) !== null) return refuse("conflict", erasedId(tenant));
  // Before an object of that id is touched: what is refused here leaves the id free.
  if (body.isolation_level === "full" && !ownStores(tenant, env)) return refuse("isolation-not-bound", `A tenant with isolation_level "full" has stores of its own: ${howToBind(tenant)}. Then deploy, and provision again.`);
  const home = homeOfRegion(body.region);
  if (home !== "anywhere") {
    const pointed = (await objectAt(env, tenant, "anywhere").pointTo(call, home)) as Result<null>;
    if (!pointed.ok) return pointed;
  }
  return objectAt(env, tenant, home).provision(call, body) as Promise<Result<Tenant>>;
}

async function guarded<T>(method: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    console.error(JSON.stringify({ level: "error", message: "the tenant object failed", method, error: String(cause) }));
    throw problem("unavailable", "The tenant's ledger did not answer. Try again; with the same Idempotency-Key nothing is done twice.");
  }
}
