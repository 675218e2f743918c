/** Deleting a model, or one revision of it. */
import { type OpenAPIHono, createRoute } from "@hono/zod-openapi";
import { modelId, revisionId } from "../../schema/contract/ids.ts";
import { modelDeleted, revisionDeleted } from "../../schema/contract/rollout.ts";
import type { AppEnv } from "../http/app-env.ts";
import { guarded, json, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";

const tags = ["Models"];
const params = tenantPath.extend({ model: modelId });

const deleteModel = createRoute({
  method: "delete", path: "/v1/tenants/{t}/models/{model}", tags, ...guarded("DELETE /v1/tenants/{t}/models/{model}"), summary: "Delete a model",
  description: "All of its revisions and drafts, their manifests, and the blobs that nothing else of the tenant names. Leases for it are revoked, imports of it cancelled. What it cost stays in the records. A repeat is answered alike.",
  request: { params },
  responses: { 200: json(modelDeleted, "It is deleted."), ...problems },
});

const deleteRevision = createRoute({
  method: "delete", path: "/v1/tenants/{t}/models/{model}/revisions/{revision}", tags, ...guarded("DELETE /v1/tenants/{t}/models/{model}/revisions/{revision}"), summary: "Delete a draft or a retired revision",
  description: "With its manifest and the blobs that nothing else of the tenant names. Leases for it are revoked. A revision that is live, or a canary, is refused.",
  request: { params: params.extend({ revision: revisionId }) },
  responses: { 200: json(revisionDeleted, "It is deleted."), ...problems },
});

export function removalRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(deleteModel, async (c) => {
    const { object, call } = enter(c, "DELETE /v1/tenants/{t}/models/{model}");
    return c.json(unwrap(await object.removals.deleteModel(call, c.req.valid("param").model)), 200);
  });

  app.openapi(deleteRevision, async (c) => {
    const { object, call } = enter(c, "DELETE /v1/tenants/{t}/models/{model}/revisions/{revision}");
    const { model, revision } = c.req.valid("param");
    return c.json(unwrap(await object.removals.deleteRevision(call, model, revision)), 200);
  });
}
