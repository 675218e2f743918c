/**
 * What clients read: the tenant's models, a manifest, blobs. The R2 key comes from the credential's tenant, never from
 * the path; a lease reads the blobs of its own revision and no other. What is not there and what is another's is one 404.
 */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { type Sha256, modelId, sha256 } from "../../schema/contract/ids.ts";
import { manifest, model } from "../../schema/contract/models.ts";
import { page } from "../../schema/contract/records.ts";
import type { AppEnv } from "../http/app-env.ts";
import { asSent, guarded, json, pageOf, pageQuery, problems } from "../http/describe.ts";
import { type Entered, enter } from "../http/enter.ts";
import { problem, unwrap } from "../http/problem.ts";
import { limitsOf } from "../http/ratelimit.ts";
import type { Delivered } from "../ledger/desks/model-desk.ts";
import { LentBlobs } from "../catalog/lent-blobs.ts";
import { TenantBlobs } from "../tenants/blobs.ts";
import { asVerified } from "../tenants/credential.ts";
import { TELL_MS } from "../ledger/egress-passes.ts";
import { Passes, type SpentPass } from "./passes.ts";
import { type Conditions, bytesOf, decideDelivery } from "./range.ts";

const tags = ["Delivery"];
const IMMUTABLE = "private, max-age=31536000, immutable";

/** RFC 9110 §13, §14; read in `conditionsOf`. A malformed field is ignored, as the RFC says. */
const conditions = z.object({
  "if-none-match": z.string().optional().meta({ description: "The answer is 304 where it names the ETag." }),
  "if-match": z.string().optional().meta({ description: "The answer is 412 where it does not name the ETag." }),
});
const rangeConditions = conditions.extend({
  range: z.string().optional().meta({ description: "One byte range. Several that touch are one; of several apart, the whole blob is sent.", example: "bytes=0-1023" }),
  "if-range": z.string().optional().meta({ description: "The blob's ETag: its SHA-256 in quotes." }),
});

const list = createRoute({
  method: "get", path: "/v1/models", tags, ...guarded("GET /v1/models"), summary: "The models that this credential may use",
  request: { query: pageQuery },
  responses: { 200: json(page(model.omit({ prices: true, canary: true, waiting: true })), "Models by id."), ...problems },
});

const readManifest = createRoute({
  method: "get", path: "/v1/models/{model}/manifest", tags, ...guarded("GET /v1/models/{model}/manifest"), summary: "A model's manifest",
  description: "With a lease: the revision that the lease pins; the bytes' SHA-256 is its `manifest_sha256`.",
  request: { params: z.object({ model: modelId }), headers: conditions },
  responses: { 200: json(manifest, "The manifest."), 304: { description: "Not modified." }, ...problems },
});

const bytes = { "application/octet-stream": { schema: z.any().meta({ type: "string", format: "binary" }) } };
const readBlob = createRoute({
  method: "get", path: "/v1/blobs/{sha256}", tags, ...guarded("GET /v1/blobs/{sha256}"), summary: "A chunk",
  request: { params: z.object({ sha256 }), headers: rangeConditions },
  responses: { 200: { description: "The blob.", content: bytes }, 206: { description: "The range.", content: bytes }, 304: { description: "Not modified." }, ...problems },
});

export function deliveryRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(list, async (c) => {
    const { object, call } = enter(c, "GET /v1/models");
    const { limit, cursor } = c.req.valid("query");
    const { models, quota } = unwrap(await object.models.list(call, cursor ?? "", limit + 1));
    return c.json(pageOf(models, limit, (item) => item.id, ({ prices: _, canary: __, waiting: ___, ...shown }) => shown), 200, limitsOf(c, quota));
  });

  app.openapi(readManifest, async (c) => {
    const { object, call } = enter(c, "GET /v1/models/{model}/manifest");
    const { identity, revision, quota } = unwrap(await object.models.open(call, c.req.valid("param").model));
    const text = await TenantBlobs.for(asVerified(identity), c.env).getManifest(revision.model, revision.revision);
    if (text === null) throw problem("model-not-available", "This model has no manifest. Publish it again.");
    const etag = `"${revision.manifestSha256}"`;
    const limits = limitsOf(c, quota);
    const headers = { ...limits, etag, "cache-control": "private, no-cache", "content-type": "application/json" };
    // It is small: it comes in no parts.
    const { kind } = decideDelivery({ ...conditionsOf(c), range: undefined }, etag, text.length);
    if (kind === "precondition-failed") throw problem(kind, "If-Match names another manifest. Its ETag is its SHA-256, in quotes.", { headers: { ...limits, etag } });
    return asSent(kind === "not-modified" ? new Response(null, { status: 304, headers }) : new Response(text, { headers }));
  });

  // Hono answers HEAD with the GET handler and drops the body.
  app.openapi(readBlob, async (c) => {
    const entered = enter(c, "GET /v1/blobs/{sha256}");
    return asSent(await deliver(c, entered, c.req.valid("param").sha256));
  });
}

const passes = new Passes();

function decide(c: Context<AppEnv>, { object, call, presented }: Entered, digest: Sha256): Promise<Delivered> {
  const conditions = conditionsOf(c);
  const ask = async (spent: SpentPass | null) => unwrap(await object.models.deliver(call, digest, conditions, spent));
  if (presented.kind !== "lease" || presented.late) return ask(null);
  return passes.decide({ lease: presented.leaseId, proof: presented.proof ?? null, digest, conditions }, ask, (held) => {
    const settled = scheduler.wait(Math.max(0, held.until - Date.now()) + TELL_MS).then(() => passes.settle(held, (spent) => object.models.settlePass(spent)));
    c.executionCtx.waitUntil(settled.catch((cause) => console.warn(JSON.stringify({ level: "warn", message: "a pass was not settled: it will count whole", tenant: call.tenant, error: String(cause) }))));
  });
}

async function deliver(c: Context<AppEnv>, entered: Entered, digest: Sha256): Promise<Response> {
  const headOnly = c.req.method === "HEAD";
  const { identity, size, delivery, egress, from } = await decide(c, entered, digest);
  const limits = limitsOf(c, { egress_bytes_daily: egress });
  const headers = new Headers({ ...limits, etag: `"${digest}"`, "accept-ranges": "bytes", "cache-control": IMMUTABLE, vary: "Authorization", "content-type": "application/octet-stream", "x-content-type-options": "nosniff" });
  switch (delivery.kind) {
    case "not-modified":
      return new Response(null, { status: 304, headers });
    case "precondition-failed":
      throw problem("precondition-failed", "If-Match names another blob. A blob's ETag is its SHA-256, in quotes.", { headers: { ...limits, etag: `"${digest}"` } });
    case "not-satisfiable":
      throw problem("range-not-satisfiable", `The blob has ${size} bytes.`, { headers: { ...limits, "content-range": `bytes */${size}`, "accept-ranges": "bytes" } });
    case "whole":
    case "part": {
      const part = delivery.kind === "part" ? delivery : undefined;
      headers.set("content-length", String(bytesOf(delivery, size)));
      if (part) headers.set("content-range", `bytes ${part.first}-${part.last}/${size}`);
      const status = part ? 206 : 200;
      if (headOnly) return new Response(null, { status, headers });
      const blobs = (from === "own" ? TenantBlobs : LentBlobs).for(asVerified(identity), c.env);
      const body = await blobs.getBlob(digest, part);
      if (!body) throw problem("not-found", "There is no such blob.");
      return new Response(body, { status, headers });
    }
  }
}

function conditionsOf(c: Context<AppEnv>): Conditions {
  const header = (name: string) => c.req.header(name);
  return { method: c.req.method, range: header("range"), ifRange: header("if-range"), ifNoneMatch: header("if-none-match"), ifMatch: header("if-match") };
}
