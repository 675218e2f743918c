/** What anyone may read: whether it serves, the keys that sign leases, and the API's own document. */
import { type OpenAPIHono, createRoute, z } from "@hono/zod-openapi";
import type { ApiDocument } from "../reference/document.ts";
import { referencePage } from "../reference/page.ts";
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

const reference = createRoute({
  method: "get", path: "/docs", tags, ...open("GET /docs"), summary: "This document, to be read",
  responses: { 200: { description: "One page, without scripts.", content: { "text/html": { schema: z.string() } } } },
});

/** The page loads nothing and runs nothing; its style stands in it. */
const READ_ONLY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function publicRoutes(app: OpenAPIHono<AppEnv>): void {
  app.openapi(health, (c) => c.json({ status: "ok" as const }, 200));
  app.openapi(keys, (c) => c.json(publicJwks(settingsOf(c.env)), 200, { "cache-control": JWKS_CACHE, "access-control-allow-origin": "*" }));
  let made: ReturnType<typeof openApiDocument> | undefined;
  const described = () => (made ??= openApiDocument(app));
  app.openapi(document, (c) => c.json(described() as unknown as Record<string, unknown>, 200));
  let page: string | undefined;
  app.openapi(reference, (c) => {
    page ??= referencePage(described() as unknown as ApiDocument);
    return c.html(page, 200, { "content-security-policy": READ_ONLY, "cache-control": "no-cache", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
  });
}
