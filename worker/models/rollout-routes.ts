/** Rollout of revisions: which there are, to whom one goes, and back. */
import { type OpenAPIHono, createRoute } from "@hono/zod-openapi";
import { modelId } from "../../schema/contract/ids.ts";
import { model } from "../../schema/contract/models.ts";
import { page } from "../../schema/contract/records.ts";
import { type ModelRevision, modelRevision, rollbackCreate, rolloutCreate } from "../../schema/contract/rollout.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, optionalBody, pageOf, pageQuery, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { problem, unwrap } from "../http/problem.ts";

const tags = ["Models"];
const params = tenantPath.extend({ model: modelId });

const list = createRoute({
  method: "get", path: "/v1/tenants/{t}/models/{model}/revisions", tags, ...guarded("GET /v1/tenants/{t}/models/{model}/revisions"), summary: "A model's revisions and their stages",
  request: { params, query: pageQuery },
  responses: { 200: json(page(modelRevision), "Revisions by age."), ...problems },
});

const rollOut = createRoute({
  method: "post", path: "/v1/tenants/{t}/models/{model}/rollout", tags, ...guarded("POST /v1/tenants/{t}/models/{model}/rollout"), summary: "Roll a revision out",
  description: "To `percent` of the users (canary), or to all of them (live). A user always sees the same one of the two; a higher percentage only adds users. Leases without a user go by the key that they are bound to (`dpop_jkt`), and without that get the live revision.",
  request: { params, headers: idempotencyHeader, body: body(rolloutCreate) },
  responses: { 200: json(model, "The model."), ...problems },
});

const rollBack = createRoute({
  method: "post", path: "/v1/tenants/{t}/models/{model}/rollback", tags, ...guarded("POST /v1/tenants/{t}/models/{model}/rollback"), summary: "Roll back",
  description: "At once: the next lease is for the live revision where there is a canary, else for the one that was live before. What was rolled back from is granted to nobody.",
  request: { params, headers: idempotencyHeader, body: optionalBody(rollbackCreate) },
  responses: { 200: json(model, "The model."), ...problems },
});

export function rolloutRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(list, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/models/{model}/revisions");
    const { limit, cursor } = c.req.valid("query");
    const revisions = unwrap(await object.rollouts.list(call, c.req.valid("param").model, placeOf(cursor), limit + 1));
    return c.json(pageOf(revisions, limit, cursorOf, (item) => item), 200);
  });

  app.openapi(rollOut, async (c) => {
    const ask = c.req.valid("json");
    const { object, call } = enter(c, "POST /v1/tenants/{t}/models/{model}/rollout", ask);
    return c.json(unwrap(await object.rollouts.rollOut(call, c.req.valid("param").model, ask)), 200);
  });

  app.openapi(rollBack, async (c) => {
    const ask = c.req.valid("json");
    const { object, call } = enter(c, "POST /v1/tenants/{t}/models/{model}/rollback", ask);
    return c.json(unwrap(await object.rollouts.rollBack(call, c.req.valid("param").model, ask)), 200);
  });
}

/** Where a list of revisions goes on. */
export const cursorOf = ({ created_at, revision }: ModelRevision) => `${Date.parse(created_at)}:${revision}`;

export function placeOf(cursor: string | undefined): { createdAt: number; revision: string } {
  if (cursor === undefined) return { createdAt: -1, revision: "" };
  const [, createdAt, revision] = /^(\d{1,15}):(rev_[0-9a-f]{24})$/.exec(cursor) ?? [];
  if (createdAt === undefined || revision === undefined) throw problem("invalid-request", "cursor: it is the next_cursor of a page before.");
  return { createdAt: Number(createdAt), revision };
}
