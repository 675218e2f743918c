/** /v1/tenants/{t}/webhooks: where the tenant is told what happens, and the log of it. */
import { type OpenAPIHono, createRoute } from "@hono/zod-openapi";
import { page } from "../../schema/contract/records.ts";
import { delivery, deliveryId, webhook, webhookCreate, webhookCreated, webhookId } from "../../schema/contract/webhooks.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, noBody, pageOf, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";

const tags = ["Webhooks"];
const webhookPath = tenantPath.extend({ id: webhookId });

const create = createRoute({
  method: "post", path: "/v1/tenants/{t}/webhooks", tags, ...guarded("POST /v1/tenants/{t}/webhooks"), summary: "Make a webhook",
  description: "Messages are signed after Standard Webhooks. A message that is not answered with 2xx is sent again, with growing pauses, for some three days.",
  request: { params: tenantPath, headers: idempotencyHeader, body: body(webhookCreate) },
  responses: { 201: json(webhookCreated, "The webhook, with its secret, shown this once."), ...problems },
});

const list = createRoute({
  method: "get", path: "/v1/tenants/{t}/webhooks", tags, ...guarded("GET /v1/tenants/{t}/webhooks"), summary: "List webhooks",
  request: { params: tenantPath, query: pageQuery },
  responses: { 200: json(page(webhook), "Webhooks by age, without their secrets."), ...problems },
});

const remove = createRoute({
  method: "delete", path: "/v1/tenants/{t}/webhooks/{id}", tags, ...guarded("DELETE /v1/tenants/{t}/webhooks/{id}"), summary: "Delete a webhook and its log",
  request: { params: webhookPath },
  responses: { 200: json(webhook, "What was deleted."), ...problems },
});

const log = createRoute({
  method: "get", path: "/v1/tenants/{t}/webhooks/{id}/deliveries", tags, ...guarded("GET /v1/tenants/{t}/webhooks/{id}/deliveries"), summary: "Deliveries of a webhook",
  description: "Kept for 30 days.",
  request: { params: webhookPath, query: pageQuery },
  responses: { 200: json(page(delivery), "Deliveries, newest first."), ...problems },
});

const replay = createRoute({
  method: "post", path: "/v1/tenants/{t}/webhooks/{id}/deliveries/{delivery}/replay", tags, ...guarded("POST /v1/tenants/{t}/webhooks/{id}/deliveries/{delivery}/replay"),
  summary: "Send a message again",
  request: { params: webhookPath.extend({ delivery: deliveryId }), headers: idempotencyHeader, body: noBody },
  responses: { 202: json(delivery, "It is on its way."), ...problems },
});

/** After every id: lists that show the newest first begin here. */
const NEWEST = "~";

export function webhookRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(create, async (c) => {
    const wanted = c.req.valid("json");
    const { object, call } = enter(c, "POST /v1/tenants/{t}/webhooks", wanted);
    return c.json(unwrap(await object.webhooks.create(call, wanted)), 201, { "cache-control": "no-store" });
  });

  app.openapi(list, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/webhooks");
    const { limit, cursor } = c.req.valid("query");
    const webhooks = unwrap(await object.webhooks.list(call, cursor ?? "", limit + 1));
    return c.json(pageOf(webhooks, limit, (item) => item.id, (item) => item), 200);
  });

  app.openapi(remove, async (c) => {
    const { object, call } = enter(c, "DELETE /v1/tenants/{t}/webhooks/{id}");
    return c.json(unwrap(await object.webhooks.delete(call, c.req.valid("param").id)), 200);
  });

  app.openapi(log, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/webhooks/{id}/deliveries");
    const { limit, cursor } = c.req.valid("query");
    const rows = unwrap(await object.webhooks.deliveries(call, c.req.valid("param").id, cursor ?? NEWEST, limit + 1));
    return c.json(pageOf(rows, limit, (item) => item.id, (item) => item), 200);
  });

  app.openapi(replay, async (c) => {
    const { object, call } = enter(c, "POST /v1/tenants/{t}/webhooks/{id}/deliveries/{delivery}/replay", {});
    const { id, delivery: deliveryOf } = c.req.valid("param");
    return c.json(unwrap(await object.webhooks.replay(call, id, deliveryOf)), 202);
  });
}
