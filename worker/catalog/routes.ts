/** The operator's catalogue: published in the steps of any model; listed, with who holds it. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { holder } from "../../schema/contract/catalog.ts";
import { modelId, revisionId, sha256, tenantId } from "../../schema/contract/ids.ts";
import { model, revisionBegun, revisionCreate } from "../../schema/contract/models.ts";
import { page } from "../../schema/contract/records.ts";
import { type ModelDeleted, type RevisionDeleted, modelDeleted, modelRevision, revisionCommit, revisionDeleted, rollbackCreate } from "../../schema/contract/rollout.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, optionalBody, pageOf, pageQuery, problems } from "../http/describe.ts";
import { enterCatalog } from "../http/enter.ts";
import { problem, unwrap } from "../http/problem.ts";
import { beginRevision, commitRevision, putBlob } from "../models/publish.ts";
import { blobBody, stored } from "../models/publish-routes.ts";
import { cursorOf, placeOf } from "../models/rollout-routes.ts";

const tags = ["Catalogue"];
const named = z.object({ model: modelId });

const list = createRoute({
  method: "get", path: "/v1/catalog/models", tags, ...guarded("GET /v1/catalog/models"), summary: "The catalogue's models",
  request: { query: pageQuery },
  responses: { 200: json(page(model), "Models by id."), ...problems },
});

const begin = createRoute({
  method: "post", path: "/v1/catalog/models/{model}/revisions", tags, ...guarded("POST /v1/catalog/models/{model}/revisions"), summary: "Begin a revision in the catalogue",
  description: "As a tenant's revision is begun. Nobody has it until it is granted.",
  request: { params: named, headers: idempotencyHeader, body: body(revisionCreate) },
  responses: { 201: json(revisionBegun, "The draft, and the blobs to put."), ...problems },
});

const put = createRoute({
  method: "put", path: "/v1/catalog/blobs/{sha256}", tags, ...guarded("PUT /v1/catalog/blobs/{sha256}"), summary: "Put a blob of the catalogue",
  request: { params: z.object({ sha256 }), body: blobBody },
  responses: { 200: json(stored, "It was stored already."), 201: json(stored, "Stored."), ...problems },
});

const commit = createRoute({
  method: "post", path: "/v1/catalog/models/{model}/revisions/{revision}/commit", tags, ...guarded("POST /v1/catalog/models/{model}/revisions/{revision}/commit"), summary: "Commit a revision of the catalogue",
  description: "Tenants that follow the model get what goes live, within seconds; others keep what they were granted.",
  request: { params: named.extend({ revision: revisionId }), headers: idempotencyHeader, body: optionalBody(revisionCommit) },
  responses: { 200: json(z.union([model, modelRevision]), "The model with the live revision; of a draft, the revision."), ...problems },
});

const revisions = createRoute({
  method: "get", path: "/v1/catalog/models/{model}/revisions", tags, ...guarded("GET /v1/catalog/models/{model}/revisions"), summary: "Revisions of a model of the catalogue",
  request: { params: named, query: pageQuery },
  responses: { 200: json(page(modelRevision), "Revisions by age, drafts included. A retired one is deleted 30 days after it was retired, unless a tenant uses it or a rollback would go to it."), ...problems },
});

const rollBack = createRoute({
  method: "post", path: "/v1/catalog/models/{model}/rollback", tags, ...guarded("POST /v1/catalog/models/{model}/rollback"), summary: "Take the catalogue's live revision back",
  description: "The revision that was live before is live again, and goes to every tenant that follows, within seconds. To those what was rolled back from is granted no more. A draft, or one that was rolled back from, goes live with another commit of it.",
  request: { params: named, headers: idempotencyHeader, body: optionalBody(rollbackCreate) },
  responses: { 200: json(model, "The model."), ...problems },
});

const holders = createRoute({
  method: "get", path: "/v1/catalog/models/{model}/grants", tags, ...guarded("GET /v1/catalog/models/{model}/grants"), summary: "Who a model of the catalogue is granted to",
  request: { params: named, query: pageQuery },
  responses: { 200: json(page(holder), "By tenant and revision."), ...problems },
});

const removeRevision = createRoute({
  method: "delete", path: "/v1/catalog/models/{model}/revisions/{revision}", tags, ...guarded("DELETE /v1/catalog/models/{model}/revisions/{revision}"), summary: "Delete a revision of the catalogue",
  description: "Where no tenant uses it. Of a retired one, each tenant that was granted it lets go of it first, unless something of it stands on it: a derived revision, a client that was promised it for a week, a lease.",
  request: { params: named.extend({ revision: revisionId }) },
  responses: { 200: json(revisionDeleted, "What went with it."), ...problems },
});

const remove = createRoute({
  method: "delete", path: "/v1/catalog/models/{model}", tags, ...guarded("DELETE /v1/catalog/models/{model}"), summary: "Delete a model of the catalogue",
  description: "Where no tenant has it: grants are revoked first.",
  request: { params: named },
  responses: { 200: json(modelDeleted, "What went with it."), ...problems },
});

export function catalogRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(list, async (c) => {
    const { object, call } = await enterCatalog(c, "GET /v1/catalog/models");
    const { limit, cursor } = c.req.valid("query");
    const { models } = unwrap(await object.models.list(call, cursor ?? "", limit + 1));
    return c.json(pageOf(models, limit, (item) => item.id, (item) => item), 200);
  });

  app.openapi(begin, async (c) => {
    const wanted = c.req.valid("json");
    return c.json(await beginRevision(c.env, await enterCatalog(c, "POST /v1/catalog/models/{model}/revisions", wanted), c.req.valid("param").model, wanted), 201);
  });

  app.openapi(put, async (c) => {
    const digest = c.req.valid("param").sha256;
    const { size, isNew } = await putBlob(c.env, await enterCatalog(c, "PUT /v1/catalog/blobs/{sha256}"), digest, c.req.raw);
    return c.json({ sha256: digest, size }, isNew ? 201 : 200);
  });

  app.openapi(commit, async (c) => {
    const wanted = c.req.valid("json");
    const { model: name, revision } = c.req.valid("param");
    const entered = await enterCatalog(c, "POST /v1/catalog/models/{model}/revisions/{revision}/commit", wanted);
    return c.json(await commitRevision(c.env, entered, name, revision, wanted.stage ?? "live"), 200);
  });

  app.openapi(removeRevision, async (c) => {
    const { object, call } = await enterCatalog(c, "DELETE /v1/catalog/models/{model}/revisions/{revision}");
    const { model: name, revision } = c.req.valid("param");
    return c.json(unwrap(await object.lending.remove(call, name, revision)) as RevisionDeleted, 200);
  });

  app.openapi(remove, async (c) => {
    const { object, call } = await enterCatalog(c, "DELETE /v1/catalog/models/{model}");
    return c.json(unwrap(await object.lending.remove(call, c.req.valid("param").model, null)) as ModelDeleted, 200);
  });

  app.openapi(revisions, async (c) => {
    const { object, call } = await enterCatalog(c, "GET /v1/catalog/models/{model}/revisions");
    const { limit, cursor } = c.req.valid("query");
    const found = unwrap(await object.rollouts.list(call, c.req.valid("param").model, placeOf(cursor), limit + 1));
    return c.json(pageOf(found, limit, cursorOf, (item) => item), 200);
  });

  app.openapi(rollBack, async (c) => {
    const ask = c.req.valid("json");
    const { object, call } = await enterCatalog(c, "POST /v1/catalog/models/{model}/rollback", ask);
    return c.json(unwrap(await object.rollouts.rollBack(call, c.req.valid("param").model, ask)), 200);
  });

  app.openapi(holders, async (c) => {
    const { object, call } = await enterCatalog(c, "GET /v1/catalog/models/{model}/grants");
    const { limit, cursor } = c.req.valid("query");
    const found = unwrap(await object.lending.holders(call, c.req.valid("param").model, afterOf(cursor, "tenant", tenantId), limit + 1));
    return c.json(pageOf(found, limit, ({ tenant, revision }) => `${tenant}:${revision}`, (item) => item), 200);
  });
}

/** Where a list by some id and revision goes on. */
export function afterOf<Name extends string>(cursor: string | undefined, name: Name, id: z.ZodType<string>): Record<Name, string> & { revision: string } {
  const [first = "", revision = ""] = cursor?.split(":") ?? [];
  if (cursor !== undefined && !(id.safeParse(first).success && revisionId.safeParse(revision).success)) throw problem("invalid-request", "cursor: it is the next_cursor of a page before.");
  return { [name]: first, revision } as Record<Name, string> & { revision: string };
}
