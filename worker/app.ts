/**
 * The Worker's application: middleware, routes, and how everything that fails is answered.
 *
 * - Every answer carries `X-Request-Id`: the caller's where it is well formed, else that of the body where it has one, else a new one.
 * - Every failure is a problem document; what nobody foresaw is logged without request data and answered `unavailable`.
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import { type RequestId, requestId, sortableId } from "../schema/contract/ids.ts";
import { operatorAuditRoutes } from "./audit/operator-routes.ts";
import { auditRoutes } from "./audit/routes.ts";
import { catalogImportRoutes } from "./catalog/import-routes.ts";
import { catalogRoutes } from "./catalog/routes.ts";
import { grantRoutes } from "./catalog/grant-routes.ts";
import { erasureRoutes } from "./erasure/routes.ts";
import type { AppEnv } from "./http/app-env.ts";
import { crossOrigin } from "./http/cors.ts";
import { invalidRequest } from "./http/faults.ts";
import { pages } from "./http/pages.ts";
import { ProblemError, problem, problemResponse } from "./http/problem.ts";
import { publicRoutes } from "./http/public-routes.ts";
import { importRoutes } from "./imports/routes.ts";
import { leaseRoutes } from "./leases/routes.ts";
import { metricsRoutes } from "./metrics/routes.ts";
import { readyRoute } from "./metrics/ready-route.ts";
import { deliveryRoutes } from "./models/delivery-routes.ts";
import { publishRoutes } from "./models/publish-routes.ts";
import { removalRoutes } from "./models/removal-routes.ts";
import { rolloutRoutes } from "./models/rollout-routes.ts";
import { sessionRoutes } from "./sessions/routes.ts";
import { secretRoutes } from "./secrets/routes.ts";
import { keyRoutes } from "./tenants/key-routes.ts";
import { tenantRoutes } from "./tenants/routes.ts";
import { userRoutes } from "./tenants/user-routes.ts";
import { priceRoutes } from "./usage/price-routes.ts";
import { webhookRoutes } from "./webhooks/routes.ts";
import { usageRoutes } from "./usage/routes.ts";

export function createApp(): OpenAPIHono<AppEnv> {
  const app = new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      throw invalidRequest(result.error.issues);
    },
  });

  app.use(async (c, next) => {
    const given = requestId.safeParse(c.req.header("x-request-id"));
    c.set("requestId", given.success ? given.data : (`req_${sortableId(Date.now())}` as RequestId));
    c.set("requestNamed", given.success);
    await next();
    c.res.headers.set("x-request-id", c.get("requestId"));
  });
  app.use("/v1/*", crossOrigin);
  publicRoutes(app);
  readyRoute(app);
  sessionRoutes(app);
  tenantRoutes(app);
  erasureRoutes(app);
  keyRoutes(app);
  secretRoutes(app);
  publishRoutes(app);
  rolloutRoutes(app);
  removalRoutes(app);
  importRoutes(app);
  catalogRoutes(app);
  catalogImportRoutes(app);
  grantRoutes(app);
  leaseRoutes(app);
  deliveryRoutes(app);
  auditRoutes(app);
  operatorAuditRoutes(app);
  usageRoutes(app);
  userRoutes(app);
  priceRoutes(app);
  metricsRoutes(app);
  webhookRoutes(app);
  pages(app);

  app.notFound((c) => problemResponse(c, strayRequest(app, c.req.path)));
  app.onError((error, c) => {
    if (error instanceof ProblemError) return problemResponse(c, error);
    if (error instanceof HTTPException && error.status < 500) return problemResponse(c, problem("invalid-request", "The body is not valid JSON."));
    console.error(JSON.stringify({ level: "error", message: "a request failed", request_id: c.get("requestId"), method: c.req.method, route: c.req.routePath, error: error.stack ?? String(error) }));
    return problemResponse(c, problem("unavailable", "Something failed on our side. Try again; with the same Idempotency-Key nothing is done twice."));
  });
  return app;
}

/** A path that exists with other methods is `method-not-allowed`, and says which; any other is `not-found`. */
function strayRequest(app: OpenAPIHono<AppEnv>, path: string): ProblemError {
  const segments = path.split("/");
  const matches = (pattern: string) => {
    const parts = pattern.split("/");
    return parts.length === segments.length && parts.every((part, at) => part.startsWith(":") ? segments[at] !== "" : part === segments[at]);
  };
  const methods = new Set(app.routes.filter((route) => route.method !== "ALL" && matches(route.path)).map((route) => route.method));
  if (methods.size === 0) return problem("not-found", "There is nothing at this address. /openapi.json lists what there is.");
  const allow = [...methods, ...(methods.has("GET") ? ["HEAD"] : [])].sort().join(", ");
  return problem("method-not-allowed", `This address takes ${allow}.`, { headers: { allow } });
}
