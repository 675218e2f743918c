/** Imports of models from a hub: begin, watch, cancel. */
import { type OpenAPIHono, createRoute } from "@hono/zod-openapi";
import { modelId } from "../../schema/contract/ids.ts";
import { importCreate, importId, modelImport } from "../../schema/contract/imports.ts";
import { page } from "../../schema/contract/records.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, pageOf, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";

const tags = ["Models"];

const start = createRoute({
  method: "post", path: "/v1/tenants/{t}/models/{model}/import", tags, ...guarded("POST /v1/tenants/{t}/models/{model}/import"), summary: "Import a model from a hub",
  description: "Fetches the model's files, checks them against the digests that the hub states, and publishes them as the live revision, or keeps them as a draft. It goes on by itself after any interruption. A private model needs the tenant's secret `huggingface-token`.",
  request: { params: tenantPath.extend({ model: modelId }), headers: idempotencyHeader, body: body(importCreate) },
  responses: { 202: json(modelImport, "It has begun."), ...problems },
});

const list = createRoute({
  method: "get", path: "/v1/tenants/{t}/imports", tags, ...guarded("GET /v1/tenants/{t}/imports"), summary: "Imports",
  description: "Those that have ended are kept for 30 days.",
  request: { params: tenantPath, query: pageQuery },
  responses: { 200: json(page(modelImport), "Imports by age."), ...problems },
});

const one = tenantPath.extend({ id: importId });
const read = createRoute({
  method: "get", path: "/v1/tenants/{t}/imports/{id}", tags, ...guarded("GET /v1/tenants/{t}/imports/{id}"), summary: "How far an import is",
  request: { params: one },
  responses: { 200: json(modelImport, "The import."), ...problems },
});

const cancel = createRoute({
  method: "delete", path: "/v1/tenants/{t}/imports/{id}", tags, ...guarded("DELETE /v1/tenants/{t}/imports/{id}"), summary: "Cancel an import",
  request: { params: one },
  responses: { 200: json(modelImport, "It is cancelled."), ...problems },
});

export function importRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(start, async (c) => {
    const ask = c.req.valid("json");
    const { object, call } = enter(c, "POST /v1/tenants/{t}/models/{model}/import", ask);
    return c.json(unwrap(await object.imports.start(call, c.req.valid("param").model, ask)), 202);
  });

  app.openapi(list, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/imports");
    const { limit, cursor } = c.req.valid("query");
    const imports = unwrap(await object.imports.list(call, cursor ?? "", limit + 1));
    return c.json(pageOf(imports, limit, (item) => item.id, (item) => item), 200);
  });

  app.openapi(read, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/imports/{id}");
    return c.json(unwrap(await object.imports.read(call, c.req.valid("param").id)), 200);
  });

  app.openapi(cancel, async (c) => {
    const { object, call } = enter(c, "DELETE /v1/tenants/{t}/imports/{id}");
    return c.json(unwrap(await object.imports.cancel(call, c.req.valid("param").id)), 200);
  });
}
