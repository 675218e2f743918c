/**
 * Cross-origin reads of the data plane. Credentials travel in `Authorization`, and the publishable
 * key's origins are checked by the tenant object, so any origin may read the answer: a refusal too.
 * Administration (`/v1/tenants…`, `/v1/catalog…`, `/v1/operator…`, `/v1/session`) is not for browsers of other origins: it gets no header.
 * The console's cookie is taken from our own pages alone, whatever stands here: `*` shows no answer that was asked with cookies.
 */
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "./app-env.ts";

const EXPOSED = "ETag, Content-Range, Accept-Ranges, Retry-After, DPoP-Nonce, WWW-Authenticate, RateLimit, RateLimit-Policy, X-Request-Id";
const ALLOWED = "Authorization, DPoP, Content-Type, Idempotency-Key, Range, If-Range, If-Match, If-None-Match, X-Request-Id";

export const crossOrigin = createMiddleware<AppEnv>(async (c, next) => {
  if (c.req.path.startsWith("/v1/tenants") || c.req.path.startsWith("/v1/catalog") || c.req.path.startsWith("/v1/operator") || c.req.path === "/v1/session") return next();
  if (c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined) {
    return c.body(null, 204, {
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET, HEAD, POST",
      "access-control-allow-headers": ALLOWED,
      "access-control-max-age": "86400",
    });
  }
  await next();
  c.res.headers.set("access-control-allow-origin", "*");
  c.res.headers.set("access-control-expose-headers", EXPOSED);
});
