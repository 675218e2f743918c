/** /v1/tenants/{t}/keys: make, list, rotate and revoke keys. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { keyId } from "../../schema/contract/ids.ts";
import { page } from "../../schema/contract/records.ts";
import { key, keyCreate, keyCreated, keyRotate } from "../../schema/contract/tenants.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, pageOf, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";

const tags = ["Keys"];

const create = createRoute({
  method: "post", path: "/v1/tenants/{t}/keys", tags, ...guarded("POST /v1/tenants/{t}/keys"), summary: "Make a key",
  request: { params: tenantPath, headers: idempotencyHeader, body: body(keyCreate) },
  responses: { 201: json(keyCreated, "The key, shown this once."), ...problems },
});

const list = createRoute({
  method: "get", path: "/v1/tenants/{t}/keys", tags, ...guarded("GET /v1/tenants/{t}/keys"), summary: "List keys",
  request: { params: tenantPath, query: pageQuery },
  responses: { 200: json(page(key), "Keys by age, without their text."), ...problems },
});

const rotate = createRoute({
  method: "post", path: "/v1/tenants/{t}/keys/{id}/rotate", tags, ...guarded("POST /v1/tenants/{t}/keys/{id}/rotate"), summary: "Put a new key in a key's place",
  description: "The new key has the old one's name, rights and limits, and shares its allowance. The old one stays valid for `overlap_s`; its leases run on.",
  request: { params: tenantPath.extend({ id: keyId }), headers: idempotencyHeader, body: body(keyRotate) },
  responses: { 201: json(keyCreated, "The new key, shown this once."), ...problems },
});

const revoke = createRoute({
  method: "delete", path: "/v1/tenants/{t}/keys/{id}", tags, ...guarded("DELETE /v1/tenants/{t}/keys/{id}"), summary: "Revoke a key now",
  description: "The key is refused from the next request on, and the leases that it was granted end with it (`lease-revoked`; what they did not report is charged). `leases=keep` lets them run out.",
  request: { params: tenantPath.extend({ id: keyId }), query: z.object({ leases: z.enum(["revoke", "keep"]).default("revoke") }) },
  responses: { 200: json(key, "The revoked key."), ...problems },
});

export function keyRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(create, async (c) => {
    const wanted = c.req.valid("json");
    const { object, call } = enter(c, "POST /v1/tenants/{t}/keys", wanted);
    return c.json(unwrap(await object.keys.create(call, wanted)), 201, { "cache-control": "no-store" });
  });

  app.openapi(list, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/keys");
    const { limit, cursor } = c.req.valid("query");
    const keys = unwrap(await object.keys.list(call, cursor ?? "", limit + 1));
    return c.json(pageOf(keys, limit, (item) => item.id, (item) => item), 200);
  });

  app.openapi(rotate, async (c) => {
    const wanted = c.req.valid("json");
    const { object, call } = enter(c, "POST /v1/tenants/{t}/keys/{id}/rotate", wanted);
    return c.json(unwrap(await object.keys.rotate(call, c.req.valid("param").id, wanted)), 201, { "cache-control": "no-store" });
  });

  app.openapi(revoke, async (c) => {
    const { object, call } = enter(c, "DELETE /v1/tenants/{t}/keys/{id}");
    return c.json(unwrap(await object.keys.revoke(call, c.req.valid("param").id, c.req.valid("query").leases)), 200);
  });
}
