/** What anyone may read: whether it serves, the keys that sign leases, and the API's own document. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import { settingsOf } from "../env.ts";
import { JWKS_CACHE, publicJwks } from "../leases/token.ts";
import type { AppEnv } from "./app-env.ts";
import { json, open } from "./describe.ts";
import { openApiDocument } from "./openapi.ts";

const tags = ["Deployment"];

const health = createRoute({
  method: "get", path: "/healthz", tags, ...open("GET /healthz"), summary: "Whether the Worker serves",
  responses: { 200: json(z.object({ status: z.literal("ok") }), "It serves.") },
});

const jwk = z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), kid: z.string(), x: z.string(), alg: z.literal("EdDSA"), use: z.literal("sig") });
const keys = createRoute({
  method: "get", path: "/.well-known/jwks.json", tags, ...open("GET /.well-known/jwks.json"), summary: "The public keys of leases",
  description: "RFC 7517. A key stands here before it signs and as long as anything that it signed may be in use.",
  responses: { 200: json(z.object({ keys: z.array(jwk) }).meta({ id: "Jwks" }), "The keys.") },
});

const document = createRoute({
  method: "get", path: "/openapi.json", tags, ...open("GET /openapi.json"), summary: "This document",
  responses: { 200: json(z.record(z.string(), z.unknown()), "OpenAPI 3.1, made from the schemas that validate.") },
});

export function publicRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(health, (c) => c.json({ status: "ok" as const }, 200));
  app.openapi(keys, (c) => c.json(publicJwks(settingsOf(c.env)), 200, { "cache-control": JWKS_CACHE, "access-control-allow-origin": "*" }));
  let made: ReturnType<typeof openApiDocument> | undefined;
  app.openapi(document, (c) => c.json((made ??= openApiDocument(app)) as unknown as Record<string, unknown>, 200));
}
