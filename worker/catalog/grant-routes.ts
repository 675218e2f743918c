/** Grants of the catalogue to a tenant, and what the tenant derives from them. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { type DerivationCreate, derivationCreate, grant, grantPut } from "../../schema/contract/catalog.ts";
import { type Sha256, modelId, revisionId } from "../../schema/contract/ids.ts";
import { type Base, type Manifest, type RevisionBody, model, revisionBegun } from "../../schema/contract/models.ts";
import { page } from "../../schema/contract/records.ts";
import type { Env } from "../env.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, optionalBody, pageOf, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { type Entered, enter, enterCatalog } from "../http/enter.ts";
import { problem, unwrap } from "../http/problem.ts";
import { sha256Hex } from "../ledger/audit-chain.ts";
import { beginRevision, storeBlob } from "../models/publish.ts";
import { type Identity, asVerified } from "../tenants/credential.ts";
import type { Edge } from "./compose.ts";
import { give, manifestIn } from "./give.ts";
import { LentBlobs } from "./lent-blobs.ts";
import { derivedBody, grantedBody } from "./resolve.ts";
import { afterOf } from "./routes.ts";
import { withTensors } from "./tensors.ts";

const tags = ["Catalogue"];
const ofModel = tenantPath.extend({ model: modelId });

const list = createRoute({
  method: "get", path: "/v1/tenants/{t}/catalog", tags, ...guarded("GET /v1/tenants/{t}/catalog"), summary: "What the catalogue grants the tenant",
  request: { params: tenantPath, query: pageQuery },
  responses: { 200: json(page(grant), "By model and revision. A revision may be derived from as long as it stands here."), ...problems },
});

const put = createRoute({
  method: "put", path: "/v1/tenants/{t}/catalog/{model}", tags, ...guarded("PUT /v1/tenants/{t}/catalog/{model}"), summary: "Grant a model of the catalogue to the tenant",
  description: "It goes live as a model of the tenant, under the same name and within its `model_quota`; its bytes stay in the catalogue, and count against the tenant's egress alone. Its prices are the operator's: no entry of the tenant's admin goes under them. Without a revision the tenant follows the catalogue: whatever goes live there goes live here, within seconds, and so does a rollback. Again, with a revision or other prices: that goes live instead.",
  request: { params: ofModel, body: optionalBody(grantPut) },
  responses: { 200: json(model, "The tenant's model."), ...problems },
});

const revoke = createRoute({
  method: "delete", path: "/v1/tenants/{t}/catalog/{model}", tags, ...guarded("DELETE /v1/tenants/{t}/catalog/{model}"), summary: "Revoke a grant",
  description: "Of all its revisions. From now on nothing that stands on it gets a lease or a chunk of the catalogue; leases that were granted end by themselves. What the tenant stored itself stays.",
  request: { params: ofModel },
  responses: { 200: json(z.object({ model: modelId, revisions: z.array(revisionId) }), "What was revoked: none, where nothing was granted."), ...problems },
});

const derive = createRoute({
  method: "post", path: "/v1/tenants/{t}/models/{model}/derive", tags: ["Models"], ...guarded("POST /v1/tenants/{t}/models/{model}/derive"), summary: "Begin a revision that stands on one of the catalogue",
  description: "The base with the tenant's own files (an adapter, labels, a tokenizer's configuration with its system prompt) and with its own values of tensors in the base's ONNX files (a fine-tuned head). Only the tenant's own blobs are to be put; then it is committed as any revision.",
  request: { params: ofModel, headers: idempotencyHeader, body: body(derivationCreate) },
  responses: { 201: json(revisionBegun, "The draft, and the blobs to put."), ...problems },
});

export function grantRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(list, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/catalog");
    const { limit, cursor } = c.req.valid("query");
    const grants = unwrap(await object.loans.list(call, afterOf(cursor, "model", modelId), limit + 1));
    return c.json(pageOf(grants, limit, ({ model: name, revision }) => `${name}:${revision}`, (item) => item), 200);
  });

  app.openapi(put, async (c) => {
    const entered = enter(c, "PUT /v1/tenants/{t}/catalog/{model}");
    const identity = unwrap(await entered.object.tenants.verify(entered.call)); // before the catalogue notes a tenant that is none
    const catalog = await enterCatalog(c, "PUT /v1/tenants/{t}/catalog/{model}");
    const name = c.req.valid("param").model;
    const { revision = null, prices = null, follow: follows = revision === null } = c.req.valid("json");
    const loan = unwrap(await catalog.object.lending.lend(catalog.call, entered.tenant, name, { revision, follows, prices }));
    const granted = grantedBody(await manifestOf(c.env, identity, loan.base, loan.manifestSha256), prices ?? loan.prices);
    const { call, object } = entered;
    const admitted = await object.loans.admit(call, name);
    const taken = admitted.ok ? await give(c.env, entered, loan, granted, (made, sizes, admission) => object.loans.take(call, loan, { revision: made, sizes, admission }, follows)) : admitted;
    // What the tenant does not take it does not hold, unless it had it before.
    if (!taken.ok && !(await entered.object.loans.base(entered.call, loan.base)).ok) unwrap(await catalog.object.lending.release(catalog.call, entered.tenant, name, loan.base.revision));
    if (taken.ok && !follows) unwrap(await catalog.object.lending.doubt(catalog.call, entered.tenant, name));
    return c.json(unwrap(taken), 200);
  });

  app.openapi(revoke, async (c) => {
    const { object, call, tenant } = enter(c, "DELETE /v1/tenants/{t}/catalog/{model}");
    const name = c.req.valid("param").model;
    const revoked = unwrap(await object.loans.revoke(call, name));
    const catalog = await enterCatalog(c, "DELETE /v1/tenants/{t}/catalog/{model}");
    unwrap(await catalog.object.lending.release(catalog.call, tenant, name, null));
    return c.json(revoked, 200);
  });

  app.openapi(derive, async (c) => {
    const wanted = c.req.valid("json");
    const entered = enter(c, "POST /v1/tenants/{t}/models/{model}/derive", wanted);
    const { identity, manifestSha256 } = unwrap(await entered.object.loans.base(entered.call, wanted.base));
    const base = await manifestOf(c.env, identity, wanted.base, manifestSha256);
    const body = await withOwnTensors(c.env, entered, identity, wanted, unwrap(derivedBody(base, wanted)));
    return c.json(await beginRevision(c.env, entered, c.req.valid("param").model, body), 201);
  });
}

async function withOwnTensors(env: Env, entered: Entered, identity: Identity, wanted: DerivationCreate, body: RevisionBody): Promise<RevisionBody> {
  if (wanted.tensors.length === 0) return body;
  const base = LentBlobs.for(asVerified(identity), env);
  const keep = async ({ of, offset, size }: Edge) => {
    const piece = await base.getBlob(of, { first: offset, last: offset + size - 1 });
    if (!piece) throw problem("unavailable", "A chunk of the base can't be read. Tell the operator.");
    const bytes = await new Response(piece).arrayBuffer();
    const digest = sha256Hex(new Uint8Array(bytes)) as Sha256;
    await storeBlob(env, entered, digest, bytes);
    return digest;
  };
  return unwrap(await withTensors(body, wanted, { base, keep }));
}

/** The base's manifest, as the catalogue committed it. */
async function manifestOf(env: Env, identity: Identity, base: Base, manifestSha256: string): Promise<Manifest> {
  const manifest = manifestIn(await LentBlobs.for(asVerified(identity), env).getManifest(base), manifestSha256);
  if (!manifest) throw problem("unavailable", "The catalogue's manifest of this revision can't be read. Tell the operator.");
  return manifest;
}
