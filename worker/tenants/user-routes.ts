/** /v1/tenants/{t}/user-identity: the secret with which the tenant's back end signs its users. */
import { type OpenAPIHono, createRoute } from "@hono/zod-openapi";
import { keyRotate, userIdentity, userIdentityRotated } from "../../schema/contract/tenants.ts";
import type { AppEnv } from "../http/app-env.ts";
import { body, guarded, idempotencyHeader, json, problems, tenantPath } from "../http/describe.ts";
import { enter } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";

const tags = ["Users"];

const read = createRoute({
  method: "get", path: "/v1/tenants/{t}/user-identity", tags, ...guarded("GET /v1/tenants/{t}/user-identity"), summary: "Whether users are signed, and since when",
  request: { params: tenantPath },
  responses: { 200: json(userIdentity, "Without the secret."), ...problems },
});

const rotate = createRoute({
  method: "post", path: "/v1/tenants/{t}/user-identity/rotate", tags, ...guarded("POST /v1/tenants/{t}/user-identity/rotate"), summary: "Make or rotate the identity secret",
  description: "The back end sends `user` with `user_signature`: the hex HMAC-SHA-256 of the user's id under this secret. Signatures under the previous secret hold for `overlap_s`.",
  request: { params: tenantPath, headers: idempotencyHeader, body: body(keyRotate) },
  responses: { 201: json(userIdentityRotated, "The secret, shown this once."), ...problems },
});

export function userRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(read, async (c) => {
    const { object, call } = enter(c, "GET /v1/tenants/{t}/user-identity");
    return c.json(unwrap(await object.users.state(call)), 200);
  });

  app.openapi(rotate, async (c) => {
    const wanted = c.req.valid("json");
    const { object, call } = enter(c, "POST /v1/tenants/{t}/user-identity/rotate", wanted);
    return c.json(unwrap(await object.users.rotate(call, wanted.overlap_s)), 201, { "cache-control": "no-store" });
  });
}
