/**
 * What every body must be before a route sees it: JSON by its media type, UTF-8 (RFC 8259, section 8.1), and not too large.
 * (The blobs' PUT brings bytes and has its own limit.)
 */
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "./app-env.ts";
import { problem } from "./problem.ts";
import { readBytes } from "./read-bytes.ts";

const MAX_JSON_BYTES = 4 * 1024 * 1024;

/** What the validators read as JSON for sure. They know fewer parameters than there are. */
const PLAIN_JSON = /^application\/json(?:; ?charset=utf-8)?$/i;

/** What is replaced by what was sent, and has a default for all of it: a body that was lost on its way would take off every limit. */
const REPLACED_WHOLE = /^\/v1\/tenants\/[^/]+\/policy$/;

export const bodies = createMiddleware<AppEnv>(async (c, next) => {
  if (c.req.method === "GET" || c.req.method === "HEAD" || c.req.method === "DELETE" || c.req.method === "OPTIONS") return next();
  if (/^\/v1\/(?:tenants\/[^/]+|catalog)\/blobs\//.test(c.req.path)) return next();
  const type = c.req.header("content-type") ?? "";
  // One read, which Hono keeps for the validators: nearly every body states its length and its type.
  const isPlain = PLAIN_JSON.test(type) && Number(c.req.header("content-length") ?? Number.NaN) <= MAX_JSON_BYTES;
  const text = asText(isPlain ? await c.req.arrayBuffer() : await readBytes(c.req.raw, MAX_JSON_BYTES));
  if (isPlain && text !== "") return next();
  if (text === "" && REPLACED_WHOLE.test(c.req.path)) throw problem("invalid-request", "The body is empty. Send a JSON object; {} is one.");
  if (text !== "" && !/^application\/(?:[a-z.+-]+\+)?json *(?:;|$)/i.test(type)) {
    throw problem("unsupported-media-type", "Send JSON, with Content-Type: application/json.");
  }
  c.req.raw = new Request(c.req.raw, { body: text === "" ? "{}" : text, headers: withJsonType(c.req.raw.headers) });
  c.req.bodyCache = {};
  return next();
});

/** Not what a decoder makes of it: replaced by one sign for "broken", two users would be one. */
function asText(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw problem("invalid-request", "The body is not UTF-8. Send JSON in UTF-8.");
  }
}

/** Elsewhere an empty body stands for `{}`: validation then names what is missing. */
function withJsonType(headers: Headers): Headers {
  const all = new Headers(headers);
  all.set("content-type", "application/json");
  all.delete("content-length");
  return all;
}
