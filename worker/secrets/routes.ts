/** /v1/tenants/{t}/secrets: names and versions. A value goes in and never comes out. */
import { type OpenAPIHono, createRoute } from "@hono/zod-openapi";
import { page } from "../../schema/contract/records.ts";
import { secret, secretName, secretPut, secretsRewrapped } from "../../schema/contract/secrets.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, noBody, pageOf, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";

const tags = ["Secrets"];

const list = createRoute({
  method: "get", path: "/v1/tenants/{t}/secrets", tags, ...guarded("GET /v1/tenants/{t}/secrets"), summary: "List secrets",
  request: { params: tenantPath, query: pageQuery },
  responses: { 200: json(page(secret), "Secrets by name, without their values."), ...problems },
});

const put = createRoute({
  method: "put", path: "/v1/tenants/{t}/secrets/{name}", tags, ...guarded("PUT /v1/tenants/{t}/secrets/{name}"), summary: "Put a secret",
  description: "Replaces the value, under a new version. The value is encrypted for this tenant and is never shown again.",
  request: { params: tenantPath.extend({ name: secretName }), body: body(secretPut) },
  responses: { 200: json(secret, "Replaced."), 201: json(secret, "Made."), ...problems },
});

const remove = createRoute({
  method: "delete", path: "/v1/tenants/{t}/secrets/{name}", tags, ...guarded("DELETE /v1/tenants/{t}/secrets/{name}"), summary: "Delete a secret",
  request: { params: tenantPath.extend({ name: secretName }) },
  responses: { 200: json(secret, "What was deleted."), ...problems },
});

const rewrap = createRoute({
  method: "post", path: "/v1/tenants/{t}/secrets/rewrap", tags, ...guarded("POST /v1/tenants/{t}/secrets/rewrap"), summary: "Wrap the tenant's data key under the current master key",
  description: "One step of a master key's rotation: once every tenant has answered with the new key's id, the previous key may leave the configuration.",
  request: { params: tenantPath, headers: idempotencyHeader, body: noBody },
  responses: { 200: json(secretsRewrapped, "How it is wrapped now."), ...problems },
});

export function secretRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(list, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/secrets");
    const { limit, cursor } = c.req.valid("query");
    const secrets = unwrap(await object.secrets.list(call, cursor ?? "", limit + 1));
    return c.json(pageOf(secrets, limit, (item) => item.name, (item) => item), 200);
  });

  app.openapi(put, async (c) => {
    const { object, call } = enter(c, "PUT /v1/tenants/{t}/secrets/{name}");
    const stored = unwrap(await object.secrets.put(call, c.req.valid("param").name, c.req.valid("json").value));
    return stored.created ? c.json(stored.secret, 201) : c.json(stored.secret, 200);
  });

  app.openapi(remove, async (c) => {
    const { object, call } = enter(c, "DELETE /v1/tenants/{t}/secrets/{name}");
    return c.json(unwrap(await object.secrets.delete(call, c.req.valid("param").name)), 200);
  });

  app.openapi(rewrap, async (c) => {
    const { object, call } = enter(c, "POST /v1/tenants/{t}/secrets/rewrap", {});
    return c.json(unwrap(await object.secrets.rewrap(call)), 200);
  });
}
