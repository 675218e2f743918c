/**
 * The pages of the operator's origin: the loader, the embed, the console, the API's reference.
 *
 * - `/embed` may be framed only by the origins of the publishable key it is opened with. It isolates itself where the
 *   browser lets a document do so; elsewhere it is isolated on pages that are, which take no other frames.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { parseKey } from "../../schema/contract/keys.ts";
import { sha256Hex } from "../ledger/audit-chain.ts";
import { authorityOf } from "../tenants/authority.ts";
import type { AppEnv } from "./app-env.ts";
import { problem, unwrap } from "./problem.ts";

const NO_FRAMES = "frame-ancestors 'none'";

/** Scripts, workers and WASM of our own origin only; pictures that the visitor chose (blob:, data:). */
const pagePolicy = (ancestors: string) =>
  [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval' blob:",
    "worker-src 'self' blob:",
    "connect-src 'self' blob: data:",
    "img-src 'self' blob: data:",
    "style-src 'self' 'unsafe-inline'",
    "font-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    ancestors,
  ].join("; ");

const ISOLATED = { "document-isolation-policy": "isolate-and-require-corp", "cross-origin-embedder-policy": "require-corp", "cross-origin-resource-policy": "cross-origin" };
const PLAIN = { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" };

async function asset(c: Context<AppEnv>, path: string, headers: Record<string, string>): Promise<Response> {
  const response = await c.env.ASSETS.fetch(new URL(path, c.req.url));
  if (!response.ok) throw problem("unavailable", "The client is not built into this deployment. Run the build, then deploy again.");
  const all = new Headers(response.headers);
  for (const [name, value] of Object.entries({ ...PLAIN, ...headers })) all.set(name, value);
  return new Response(response.body, { status: 200, headers: all });
}

export function pages(app: OpenAPIHono<AppEnv>): void {
  app.get("/widget.js", (c) => asset(c, "/widget.js", { "access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin", "cache-control": "public, max-age=300" }));

  app.get("/embed", async (c) => {
    const text = c.req.query("key") ?? "";
    const key = parseKey(text);
    if (key?.kind !== "publishable") throw problem("unauthorized", "Open the widget with a publishable key.", { headers: { "content-security-policy": NO_FRAMES } });
    const origins = await authorityOf(c.env, key.tenant).keys.allowedOrigins(sha256Hex(text));
    if (!origins.ok) throw problem(origins.refusal.code, origins.refusal.detail, { headers: { "content-security-policy": NO_FRAMES } });
    return asset(c, "/embed.html", { ...ISOLATED, "cache-control": "no-cache", "content-security-policy": pagePolicy(`frame-ancestors ${unwrap(origins).join(" ")}`) });
  });

  app.get("/console", (c) => asset(c, "/console.html", { "cache-control": "no-cache", "content-security-policy": pagePolicy(NO_FRAMES), "cross-origin-opener-policy": "same-origin" }));
}
