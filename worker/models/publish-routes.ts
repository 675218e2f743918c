/** Publishing a model: begin a revision, put the missing blobs, commit. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { amount } from "../../schema/contract/amounts.ts";
import { modelId, revisionId, sha256 } from "../../schema/contract/ids.ts";
import { MAX_CHUNK_BYTES, model, revisionBegun, revisionCreate } from "../../schema/contract/models.ts";
import { page } from "../../schema/contract/records.ts";
import { modelRevision, revisionCommit } from "../../schema/contract/rollout.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, optionalBody, pageOf, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";
import { beginRevision, commitRevision, putBlob } from "./publish.ts";

const tags = ["Models"];
/** Of a body that is a blob. */
export const blobBody = { required: true, description: `At most ${MAX_CHUNK_BYTES} bytes.`, content: { "application/octet-stream": { schema: z.any().meta({ type: "string", format: "binary" }) } } };
export const stored = z.object({ sha256, size: amount }).meta({ id: "BlobStored" });

const begin = createRoute({
  method: "post", path: "/v1/tenants/{t}/models/{model}/revisions", tags, ...guarded("POST /v1/tenants/{t}/models/{model}/revisions"), summary: "Begin a revision",
  description: "A revision is named by its content: the same body again gives the same revision and what is still missing. A draft that gets no blob for a day is dropped. Blobs that are not missing stay while the draft does; those that no draft and no revision names are deleted a day after they were sent.",
  request: { params: tenantPath.extend({ model: modelId }), headers: idempotencyHeader, body: body(revisionCreate) },
  responses: { 201: json(revisionBegun, "The draft, and the blobs to put."), ...problems },
});

const put = createRoute({
  method: "put", path: "/v1/tenants/{t}/blobs/{sha256}", tags, ...guarded("PUT /v1/tenants/{t}/blobs/{sha256}"), summary: "Put a blob",
  request: {
    params: tenantPath.extend({ sha256 }),
    body: blobBody,
  },
  responses: { 200: json(stored, "It was stored already."), 201: json(stored, "Stored."), ...problems },
});

const commit = createRoute({
  method: "post", path: "/v1/tenants/{t}/models/{model}/revisions/{revision}/commit", tags, ...guarded("POST /v1/tenants/{t}/models/{model}/revisions/{revision}/commit"),
  summary: "Commit a revision",
  description: "Checks that everything that it is made of is stored, and makes it live; with `stage: draft` it is kept, for a rollout.",
  request: { params: tenantPath.extend({ model: modelId, revision: revisionId }), headers: idempotencyHeader, body: optionalBody(revisionCommit) },
  responses: { 200: json(z.union([model, modelRevision]), "The model with the live revision; of a draft, the revision."), ...problems },
});

const list = createRoute({
  method: "get", path: "/v1/tenants/{t}/models", tags, ...guarded("GET /v1/tenants/{t}/models"), summary: "The tenant's models",
  request: { params: tenantPath, query: pageQuery },
  responses: { 200: json(page(model), "Models by id."), ...problems },
});

export function publishRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(begin, async (c) => {
    const wanted = c.req.valid("json");
    return c.json(await beginRevision(c.env, enter(c, "POST /v1/tenants/{t}/models/{model}/revisions", wanted), c.req.valid("param").model, wanted), 201);
  });

  app.openapi(put, async (c) => {
    const digest = c.req.valid("param").sha256;
    const { size, isNew } = await putBlob(c.env, enter(c, "PUT /v1/tenants/{t}/blobs/{sha256}"), digest, c.req.raw);
    return c.json({ sha256: digest, size }, isNew ? 201 : 200);
  });

  app.openapi(commit, async (c) => {
    const wanted = c.req.valid("json");
    const { model: name, revision } = c.req.valid("param");
    return c.json(await commitRevision(c.env, enter(c, "POST /v1/tenants/{t}/models/{model}/revisions/{revision}/commit", wanted), name, revision, wanted.stage ?? "live"), 200);
  });

  app.openapi(list, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/models");
    const { limit, cursor } = c.req.valid("query");
    const { models } = unwrap(await object.models.list(call, cursor ?? "", limit + 1));
    return c.json(pageOf(models, limit, (item) => item.id, (item) => item), 200);
  });
}
