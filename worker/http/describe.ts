/**
 * How a route describes itself to OpenAPI: answers by schema, credentials from the access table. Which problems it
 * may answer with is worker/http/refusals.ts.
 */
import type { MiddlewareHandler } from "hono";
import { z } from "zod";
import { tenantId } from "../../schema/contract/ids.ts";
import { problem } from "../../schema/contract/problems.ts";
import { ACCESS, type OpenWay, SIGN_IN, type WayIn } from "./access.ts";
import type { AppEnv } from "./app-env.ts";
import { bodies } from "./bodies.ts";
import { admit } from "./enter.ts";

export const json = <T extends z.ZodType>(schema: T, description: string) => ({ description, content: { "application/json": { schema } } });

export const body = <T extends z.ZodType>(schema: T) => ({ required: true, content: { "application/json": { schema } } });

/** Of a POST whose fields may all be left out: nothing at all is an empty object. */
export const optionalBody = <T extends z.ZodType>(schema: T) => ({ required: false, content: { "application/json": { schema } } });

/** Of a POST that takes nothing: an empty object, or nothing at all. */
export const noBody = { required: false, content: { "application/json": { schema: z.strictObject({}) } } };

/** Any problem; the document lists those of the route by status in its place (openapi.ts). */
export const problems = {
  default: { description: "A problem document; `code` says which.", content: { "application/problem+json": { schema: problem } } },
} as const;

const BEARER: Record<string, string[]> = { bearer: [] };
const SESSION: Record<string, string[]> = { session: [] };
const OF_KEYS: ReadonlySet<string> = new Set(["operator", "admin", "leases", "read"]);
const takesSession = (way: WayIn): boolean => way !== SIGN_IN && ACCESS[way].some((open) => OF_KEYS.has(open));

/** Guards a route with its row of the access table, before anything else of the request is read, and documents it. `next`: what comes before the body is read. */
export const guarded = (way: WayIn, ...next: MiddlewareHandler<AppEnv>[]) => ({
  security: takesSession(way) ? [BEARER, SESSION] : [BEARER],
  "x-access": ACCESS[way],
  middleware: [admit(way), ...next, bodies],
});

/** Documents a route that anyone may use. */
export const open = (way: OpenWay) => ({ security: [], "x-access": ACCESS[way] });

export const tenantPath = z.object({ t: tenantId });

export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(200).regex(/^[A-Za-z0-9_.:-]*$/).optional(),
});

export const idempotencyHeader = z.object({
  "idempotency-key": z.string().min(1).max(255).optional().meta({ description: "Same key and body: same answer; the same key with another request is refused. Kept for a day." }),
});

/** A page of `limit` items out of `limit + 1` that were read: the extra one says whether there is more. */
export function pageOf<T, U>(items: readonly T[], limit: number, cursorOf: (item: T) => string, show: (item: T) => U): { data: U[]; next_cursor: string | null } {
  const shown = items.slice(0, limit);
  const last = shown.at(-1);
  return { data: shown.map(show), next_cursor: items.length > limit && last !== undefined ? cursorOf(last) : null };
}

/** A response whose bytes are already as they are to be sent, where the route's type wants one made by `c.json`. */
export const asSent = (response: Response) => response as never;
