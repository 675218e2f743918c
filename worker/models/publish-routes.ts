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
import { problem, unwrap } from "../http/problem.ts";
import { readBytes } from "../http/read-bytes.ts";
import { sha256Hex } from "../ledger/audit-chain.ts";
import { TenantBlobs } from "../tenants/blobs.ts";
import { asVerified } from "../tenants/credential.ts";
import { buildRevision } from "./manifest.ts";
import { review } from "./review.ts";

const tags = ["Models"];
const stored = z.object({ sha256, size: amount }).meta({ id: "BlobStored" });

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
    body: { required: true, description: `At most ${MAX_CHUNK_BYTES} bytes.`, content: { "application/octet-stream": { schema: z.any().meta({ type: "string", format: "binary" }) } } },
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
    const { object, call, tenant } = enter(c, "POST /v1/tenants/{t}/models/{model}/revisions", wanted);
    const built = buildRevision(tenant, c.req.valid("param").model, wanted);
    const { identity, begun, admission } = unwrap(await object.models.admitRevision(call, { model: built.revision.model, revision: built.revision.revision, ...(wanted.control_flow && { controlFlow: true }) }));
    if (begun) return c.json(begun, 201);
    await TenantBlobs.for(asVerified(identity), c.env).putManifest(built.revision.model, built.revision.revision, built.text);
    return c.json(unwrap(await object.models.begin(call, built.revision, Object.fromEntries(built.sizes), admission)), 201);
  });

  app.openapi(put, async (c) => {
    const { object, call } = enter(c, "PUT /v1/tenants/{t}/blobs/{sha256}");
    const digest = c.req.valid("param").sha256;
    unwrap(await object.tenants.verify(call));
    const bytes = await readBytes(c.req.raw, MAX_CHUNK_BYTES);
    if (bytes.byteLength === 0) throw problem("invalid-request", "The body is empty. Send the blob's bytes.");
    const actual = sha256Hex(new Uint8Array(bytes));
    if (actual !== digest) throw problem("digest-mismatch", `The bytes have the SHA-256 ${actual}. Send the bytes that the path names.`);
    const { identity, admission } = unwrap(await object.uploads.admit(call, digest, bytes.byteLength));
    if (admission === null) return c.json({ sha256: digest, size: bytes.byteLength }, 200);
    await TenantBlobs.for(asVerified(identity), c.env).putBlob(digest, bytes);
    unwrap(await object.uploads.record(call, digest, bytes.byteLength, admission));
    return c.json({ sha256: digest, size: bytes.byteLength }, 201);
  });

  app.openapi(commit, async (c) => {
    const wanted = c.req.valid("json");
    const { object, call } = enter(c, "POST /v1/tenants/{t}/models/{model}/revisions/{revision}/commit", wanted);
    const { model: name, revision } = c.req.valid("param");
    const due = unwrap(await object.reviews.open(call, name, revision));
    if (due) await review(c.env, due);
    return c.json(unwrap(await object.models.commit(call, name, revision, wanted.stage ?? "live", due !== null)), 200);
  });

  app.openapi(list, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/models");
    const { limit, cursor } = c.req.valid("query");
    const { models } = unwrap(await object.models.list(call, cursor ?? "", limit + 1));
    return c.json(pageOf(models, limit, (item) => item.id, (item) => item), 200);
  });
}
