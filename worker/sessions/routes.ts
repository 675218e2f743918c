/**
 * /v1/session: signing in at the console, who is signed in, signing out.
 *
 * - The key comes in `Authorization` and goes nowhere else. This is the one way in that takes a secret key from a page,
 *   and only from our own; a session does not sign in: it can't prolong itself.
 * - A tenant's sign-ins are in its audit. The operator's belong to no tenant: they are in its own.
 * - Signing out ends the session, and with it every copy of its cookie; other sessions of the same key go on.
 */
import { type OpenAPIHono, createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import { type Session, session } from "../../schema/contract/session.ts";
import { settingsOf } from "../env.ts";
import type { AppEnv } from "../http/app-env.ts";
import { guarded, json, noBody, problems } from "../http/describe.ts";
import type { WayIn } from "../http/access.ts";
import { type Entered, enter, enterCatalog } from "../http/enter.ts";
import { unwrap } from "../http/problem.ts";
import { NO_SESSION_COOKIE, sessionCookie } from "./cookie.ts";
import { type SessionClaims, signSession } from "./token.ts";

const tags = ["Console"];
const PRIVATE = { "cache-control": "no-store" };

const signIn = createRoute({
  method: "post", path: "/v1/session", tags, ...guarded("POST /v1/session"), summary: "Sign in at the console",
  description: "With a secret key or the operator key as `Authorization: Bearer`, from a page of this origin or from no page. Sets an HttpOnly cookie that stands for that key on every way in that takes it, for 8 hours, or until the key is revoked, expires or is rotated out. Where a request brings `Authorization` too, that alone counts.",
  request: { body: noBody },
  responses: { 201: json(session, "Who is signed in; the session is in the cookie."), ...problems },
});

const read = createRoute({
  method: "get", path: "/v1/session", tags, ...guarded("GET /v1/session"), summary: "Who is signed in",
  responses: { 200: json(session, "The key's kind, tenant and scopes; no secret."), ...problems },
});

const signOut = createRoute({
  method: "delete", path: "/v1/session", tags, ...guarded("DELETE /v1/session"), summary: "Sign out",
  description: "Ends the session: no copy of its cookie is taken any more. Removes the cookie from this browser, also where its session has ended already.",
  responses: { 204: { description: "Signed out." }, ...problems },
});

export function sessionRoutes(app: OpenAPIHono<AppEnv>): void {
  // A session that has ended is refused with a 401: its cookie goes all the same. Another site's request changes nothing.
  app.delete("/v1/session", async (c, next) => {
    await next();
    if (c.res.status === 204 || c.res.status === 401) c.res.headers.append("set-cookie", NO_SESSION_COOKIE);
  });

  app.openapi(signIn, async (c) => {
    const { shown, claims } = await opened(c);
    c.header("set-cookie", sessionCookie(signSession(claims, settingsOf(c.env)), Math.floor((claims.endsAt - Date.now()) / 1000)));
    return c.json(shown, 201, PRIVATE);
  });

  app.openapi(read, async (c) => {
    const { object, call } = await enterOwn(c, "GET /v1/session");
    return c.json(unwrap(await object.sessions.read(call)), 200, PRIVATE);
  });

  app.openapi(signOut, async (c) => {
    const { object, call } = await enterOwn(c, "DELETE /v1/session");
    unwrap(await object.sessions.close(call));
    return c.body(null, 204, PRIVATE);
  });
}

async function opened(c: Context<AppEnv>): Promise<{ shown: Session; claims: SessionClaims }> {
  const { object, call, tenant } = await enterOwn(c, "POST /v1/session");
  const { id, keyId, endsAt, session: shown } = unwrap(await object.sessions.open(call));
  return { shown, claims: keyId === null ? { kind: "operator", id, endsAt } : { kind: "secret", id, tenant, keyId, endsAt } };
}

/** The operator's sessions are the catalogue's object's, which is nobody else's. */
const enterOwn = (c: Context<AppEnv>, way: WayIn): Entered | Promise<Entered> => (c.get("presented").kind === "operator" ? enterCatalog(c, way) : enter(c, way));
