/** /v1/tenants/{t}/prices and …/models/{model}/prices: the price book. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { modelId } from "../../schema/contract/ids.ts";
import { priceCreate, priceEntry } from "../../schema/contract/prices.ts";
import { page } from "../../schema/contract/records.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, pageOf, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";

const tags = ["Usage and billing"];

const list = createRoute({
  method: "get", path: "/v1/tenants/{t}/prices", tags, ...guarded("GET /v1/tenants/{t}/prices"), summary: "The price book",
  request: { params: tenantPath, query: pageQuery.extend({ model: modelId.optional(), cursor: z.string().regex(/^[a-z0-9._-]{1,64}:\d{1,15}$/).optional() }) },
  responses: { 200: json(page(priceEntry), "Prices by model and time, past, present and to come."), ...problems },
});

const set = createRoute({
  method: "post", path: "/v1/tenants/{t}/models/{model}/prices", tags, ...guarded("POST /v1/tenants/{t}/models/{model}/prices"), summary: "Set prices from an instant on",
  description: "Leases granted from `effective_at` on cost this; what was granted before costs what it did. An entry that is not in force yet is replaced by one of the same instant. Below the operator's floors (`price_floor` of the tenant, and what the operator itself stated for this model) the floors apply: `effective` says what a lease costs.",
  request: { params: tenantPath.extend({ model: modelId }), headers: idempotencyHeader, body: body(priceCreate) },
  responses: { 201: json(priceEntry, "The entry."), ...problems },
});

export function priceRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(list, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/prices");
    const { limit, cursor, model } = c.req.valid("query");
    const [after, at] = cursor?.split(":") ?? [];
    const entries = unwrap(await object.prices.list(call, model ?? null, after === undefined ? null : { model: after, effectiveAt: Number(at) }, limit + 1));
    return c.json(pageOf(entries, limit, (entry) => `${entry.model}:${Date.parse(entry.effective_at)}`, (entry) => entry), 200);
  });

  app.openapi(set, async (c) => {
    const wanted = c.req.valid("json");
    const { object, call } = enter(c, "POST /v1/tenants/{t}/models/{model}/prices", wanted);
    return c.json(unwrap(await object.prices.set(call, c.req.valid("param").model, wanted)), 201);
  });
}
