/** /v1/tenants: provisioning, configuration, policy and quota. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { keyId, userId } from "../../schema/contract/ids.ts";
import { policy, quota } from "../../schema/contract/policy.ts";
import { page } from "../../schema/contract/records.ts";
import { type Tenant, type TenantCreate, tenant, tenantCreate, tenantUpdate } from "../../schema/contract/tenants.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, pageOf, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { callOf, enter, enterCatalog } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";
import { limitsOf } from "../http/ratelimit.ts";
import type { Result } from "../ledger/result.ts";
import { authorityOf } from "./authority.ts";
import { listTenants } from "./directory.ts";

const tags = ["Tenants"];

const create = createRoute({
  method: "post", path: "/v1/tenants", tags, ...guarded("POST /v1/tenants"), summary: "Provision a tenant",
  request: { headers: idempotencyHeader, body: body(tenantCreate) },
  responses: { 201: json(tenant, "The tenant."), ...problems },
});

const list = createRoute({
  method: "get", path: "/v1/tenants", tags, ...guarded("GET /v1/tenants"), summary: "List tenants",
  request: { query: pageQuery },
  responses: { 200: json(page(tenant), "Tenants by id, from D1."), ...problems },
});

const read = createRoute({
  method: "get", path: "/v1/tenants/{t}", tags, ...guarded("GET /v1/tenants/{t}"), summary: "Read a tenant",
  request: { params: tenantPath },
  responses: { 200: json(tenant, "The tenant."), ...problems },
});

const update = createRoute({
  method: "patch", path: "/v1/tenants/{t}", tags, ...guarded("PATCH /v1/tenants/{t}"), summary: "Change, disable or enable a tenant",
  request: { params: tenantPath, body: body(tenantUpdate) },
  description: "A tenant's admin changes `name` and `contact_email`; the rest is the operator's. What is not named stays as it is, within `policy` too; `null` removes a limit. `price_floor` holds for every lease granted from now on.",
  responses: { 200: json(tenant, "The tenant as it is now."), ...problems },
});

const readPolicy = createRoute({
  method: "get", path: "/v1/tenants/{t}/policy", tags, ...guarded("GET /v1/tenants/{t}/policy"), summary: "Read the limits",
  request: { params: tenantPath },
  responses: { 200: json(policy, "The policy."), ...problems },
});

const writePolicy = createRoute({
  method: "put", path: "/v1/tenants/{t}/policy", tags, ...guarded("PUT /v1/tenants/{t}/policy"), summary: "Set the limits",
  description: "Replaces the policy: a limit that is left out is no limit. A tenant's admin stays within what the operator set.",
  request: { params: tenantPath, body: body(policy) },
  responses: { 200: json(policy, "The policy as it is now."), ...problems },
});

const readQuota = createRoute({
  method: "get", path: "/v1/tenants/{t}/quota", tags, ...guarded("GET /v1/tenants/{t}/quota"), summary: "Live balances",
  request: { params: tenantPath, query: z.object({ user: userId.optional(), key: keyId.optional() }) },
  responses: { 200: json(quota, "Every limit as it stands."), ...problems },
});

export function tenantRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(create, async (c) => {
    const wanted = c.req.valid("json");
    const call = callOf(c, "POST /v1/tenants", wanted.id, wanted);
    const object = authorityOf(c.env, wanted.id);
    const made = unwrap(await once(c, call.idempotent != null, wanted, () => object.provision(call, wanted)));
    // So that GET /v1/tenants shows it at once where D1 answers; where it does not, the outbox carries it later.
    await object.records.flush(call);
    return c.json(made, 201);
  });

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const rows = await listTenants(c.env, cursor ?? "", limit + 1);
    const page = pageOf(rows, limit, (row) => row.id, (row) => row.tenant);
    return c.json({ ...page, data: page.data.filter((tenant) => tenant !== null) }, 200);
  });

  app.openapi(read, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}");
    return c.json(unwrap(await object.tenants.read(call)), 200);
  });

  app.openapi(update, async (c) => {
    const { object, call } = enter(c, "PATCH /v1/tenants/{t}");
    return c.json(unwrap(await object.tenants.update(call, c.req.valid("json"))), 200);
  });

  app.openapi(readPolicy, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/policy");
    return c.json(unwrap(await object.tenants.read(call)).policy, 200);
  });

  app.openapi(writePolicy, async (c) => {
    const { object, call } = enter(c, "PUT /v1/tenants/{t}/policy");
    return c.json(unwrap(await object.tenants.writePolicy(call, c.req.valid("json"))), 200);
  });

  app.openapi(readQuota, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/quota");
    const { user, key } = c.req.valid("query");
    const balances = unwrap(await object.tenants.quota(call, user ?? null, key ?? null));
    return c.json(balances, 200, limitsOf(c, balances));
  });
}

/** Does what was asked under an idempotency key, unless that key came with another request, of whatever id. */
async function once(c: Context<AppEnv>, isNamed: boolean, wanted: TenantCreate, work: () => Promise<Result<Tenant>>): Promise<Result<Tenant>> {
  if (!isNamed) return work();
  const { object, call } = await enterCatalog(c, "POST /v1/tenants", wanted);
  const claimed = await object.keyOfCall.claim(call);
  if (!claimed.ok) return claimed;
  const made = await work();
  if (!made.ok) unwrap(await object.keyOfCall.release(call));
  return made;
}
