/** Imports from a hub straight into the operator's catalogue, as a tenant has them; and the secrets that they may need. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { modelId } from "../../schema/contract/ids.ts";
import { importCreate, importId, modelImport } from "../../schema/contract/imports.ts";
import { page } from "../../schema/contract/records.ts";
import { secret, secretName, secretPut, secretsRewrapped } from "../../schema/contract/secrets.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, noBody, pageOf, pageQuery, problems } from "../http/describe.ts";
import { enterCatalog } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";

const tags = ["Catalogue"];

const start = createRoute({
  method: "post", path: "/v1/catalog/models/{model}/import", tags, ...guarded("POST /v1/catalog/models/{model}/import"), summary: "Import a model from a hub into the catalogue",
  description: "As a tenant's import. A private model needs the catalogue's own secret `huggingface-token`.",
  request: { params: z.object({ model: modelId }), headers: idempotencyHeader, body: body(importCreate) },
  responses: { 202: json(modelImport, "It has begun."), ...problems },
});

const list = createRoute({
  method: "get", path: "/v1/catalog/imports", tags, ...guarded("GET /v1/catalog/imports"), summary: "Imports into the catalogue",
  description: "Those that have ended are kept for 30 days.",
  request: { query: pageQuery },
  responses: { 200: json(page(modelImport), "Imports by age."), ...problems },
});

const one = z.object({ id: importId });
const read = createRoute({
  method: "get", path: "/v1/catalog/imports/{id}", tags, ...guarded("GET /v1/catalog/imports/{id}"), summary: "How far an import into the catalogue is",
  request: { params: one },
  responses: { 200: json(modelImport, "The import."), ...problems },
});

const cancel = createRoute({
  method: "delete", path: "/v1/catalog/imports/{id}", tags, ...guarded("DELETE /v1/catalog/imports/{id}"), summary: "Cancel an import into the catalogue",
  request: { params: one },
  responses: { 200: json(modelImport, "It is cancelled."), ...problems },
});

const secrets = createRoute({
  method: "get", path: "/v1/catalog/secrets", tags, ...guarded("GET /v1/catalog/secrets"), summary: "List the catalogue's secrets",
  request: { query: pageQuery },
  responses: { 200: json(page(secret), "Secrets by name, without their values."), ...problems },
});

const named = z.object({ name: secretName });
const putSecret = createRoute({
  method: "put", path: "/v1/catalog/secrets/{name}", tags, ...guarded("PUT /v1/catalog/secrets/{name}"), summary: "Put a secret of the catalogue",
  request: { params: named, body: body(secretPut) },
  responses: { 200: json(secret, "Replaced."), 201: json(secret, "Made."), ...problems },
});

const deleteSecret = createRoute({
  method: "delete", path: "/v1/catalog/secrets/{name}", tags, ...guarded("DELETE /v1/catalog/secrets/{name}"), summary: "Delete a secret of the catalogue",
  request: { params: named },
  responses: { 200: json(secret, "What was deleted."), ...problems },
});

const rewrap = createRoute({
  method: "post", path: "/v1/catalog/secrets/rewrap", tags, ...guarded("POST /v1/catalog/secrets/rewrap"), summary: "Wrap the catalogue's data key under the current master key",
  request: { headers: idempotencyHeader, body: noBody },
  responses: { 200: json(secretsRewrapped, "How it is wrapped now."), ...problems },
});

export function catalogImportRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(start, async (c) => {
    const ask = c.req.valid("json");
    const { object, call } = await enterCatalog(c, "POST /v1/catalog/models/{model}/import", ask);
    return c.json(unwrap(await object.imports.start(call, c.req.valid("param").model, ask)), 202);
  });

  app.openapi(list, async (c) => {
    const { object, call } = await enterCatalog(c, "GET /v1/catalog/imports");
    const { limit, cursor } = c.req.valid("query");
    const imports = unwrap(await object.imports.list(call, cursor ?? "", limit + 1));
    return c.json(pageOf(imports, limit, (item) => item.id, (item) => item), 200);
  });

  app.openapi(read, async (c) => {
    const { object, call } = await enterCatalog(c, "GET /v1/catalog/imports/{id}");
    return c.json(unwrap(await object.imports.read(call, c.req.valid("param").id)), 200);
  });

  app.openapi(cancel, async (c) => {
    const { object, call } = await enterCatalog(c, "DELETE /v1/catalog/imports/{id}");
    return c.json(unwrap(await object.imports.cancel(call, c.req.valid("param").id)), 200);
  });

  app.openapi(secrets, async (c) => {
    const { object, call } = await enterCatalog(c, "GET /v1/catalog/secrets");
    const { limit, cursor } = c.req.valid("query");
    const found = unwrap(await object.secrets.list(call, cursor ?? "", limit + 1));
    return c.json(pageOf(found, limit, (item) => item.name, (item) => item), 200);
  });

  app.openapi(putSecret, async (c) => {
    const { object, call } = await enterCatalog(c, "PUT /v1/catalog/secrets/{name}");
    const put = unwrap(await object.secrets.put(call, c.req.valid("param").name, c.req.valid("json").value));
    return put.created ? c.json(put.secret, 201) : c.json(put.secret, 200);
  });

  app.openapi(deleteSecret, async (c) => {
    const { object, call } = await enterCatalog(c, "DELETE /v1/catalog/secrets/{name}");
    return c.json(unwrap(await object.secrets.delete(call, c.req.valid("param").name)), 200);
  });

  app.openapi(rewrap, async (c) => {
    const { object, call } = await enterCatalog(c, "POST /v1/catalog/secrets/rewrap", {});
    return c.json(unwrap(await object.secrets.rewrap(call)), 200);
  });
}
