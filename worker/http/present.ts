/**
 * Reads the credential of a request and proves what can be proved without the tenant object: the key's checksum, the
 * operator's hash, the session's MAC and page, the lease's signature and times, the proof that a bound lease comes with. Says `unauthorized` in one way for everything that does not hold.
 *
 * An `Authorization` header counts alone: where there is one, well formed or not, no cookie is read.
 */
import type { Context } from "hono";
import { parseKey } from "../../schema/contract/keys.ts";
import { openCatalog } from "../catalog/catalog.ts";
import { CATALOG } from "../catalog/catalog-id.ts";
import { settingsOf } from "../env.ts";
import { sha256Hex } from "../ledger/audit-chain.ts";
import { verifyProof } from "../leases/dpop.ts";
import { verifyLease } from "../leases/token.ts";
import { ENDED_SESSION } from "../ledger/identify.ts";
import { isOwnPage, sessionTextOf } from "../sessions/cookie.ts";
import { verifySession } from "../sessions/token.ts";
import { authorityOf } from "../tenants/authority.ts";
import type { Presented } from "../tenants/credential.ts";
import type { AppEnv } from "./app-env.ts";
import { problem } from "./problem.ts";

const MISSING = "Send a key or a lease as Authorization: Bearer <credential>.";
const INVALID = "The credential is not one that this deployment issued. Check it for typing errors, or use a current one.";

/** `signsIn`: the key itself is due, to be exchanged for a session. */
export async function presentedBy(c: Context<AppEnv>, signsIn = false): Promise<Presented> {
  const session = signsIn || c.req.header("authorization") !== undefined ? null : sessionTextOf(c.req.header("cookie"));
  if (session !== null) return await sessionOf(c, session);
  const [, scheme = "", text = ""] = /^(Bearer|DPoP) ([\x21-\x7e]{1,4096})$/i.exec(c.req.header("authorization") ?? "") ?? [];
  if (text === "") throw problem("unauthorized", MISSING);
  const isBound = scheme.toLowerCase() === "dpop";
  if (!text.startsWith("lh_")) return leaseOf(c, text, isBound);
  if (isBound) throw problem("unauthorized", MISSING);
  const key = parseKey(text);
  if (!key) throw problem("unauthorized", INVALID);
  const hash = sha256Hex(text);
  const page = pageOf(c);
  if (key.kind === "operator") {
    if (hash !== settingsOf(c.env).operatorKeySha256) throw problem("unauthorized", INVALID);
    if (page.origin !== null) throw problem("origin-not-allowed", "The operator key must never be used in a browser page of another origin.");
    return { kind: "operator" };
  }
  return { kind: "key", type: key.kind, tenant: key.tenant, hash, ...page, ...(signsIn && { signsIn }) };
}

async function sessionOf(c: Context<AppEnv>, text: string): Promise<Presented> {
  const claims = verifySession(text, settingsOf(c.env), Date.now());
  if (!claims) throw problem("unauthorized", ENDED_SESSION);
  const sender = { method: c.req.method, own: new URL(c.req.url).origin, origin: c.req.header("origin") ?? null, site: c.req.header("sec-fetch-site") ?? null };
  if (!isOwnPage(sender)) throw problem("origin-not-allowed", "A session is for the console alone: send the request from a page of this origin, or send the key itself.");
  const one = { id: claims.id, endsAt: claims.endsAt };
  if (claims.kind === "secret") return { kind: "session", tenant: claims.tenant, keyId: claims.keyId, session: one };
  // No tenant's object knows of the operator's sessions: the one that does is asked first.
  await openCatalog(c.env, c.get("requestId"));
  if (await authorityOf(c.env, CATALOG).sessions.isOver(claims.id)) throw problem("unauthorized", ENDED_SESSION);
  return { kind: "operator", session: one };
}

async function leaseOf(c: Context<AppEnv>, text: string, isBound: boolean): Promise<Presented> {
  const claims = await verifyLease(text, settingsOf(c.env));
  if (claims === "expired") throw problem("lease-expired", "This lease has expired. Ask for a new one.");
  if (claims === "invalid") throw problem("unauthorized", INVALID);
  const held = "late" in claims ? claims.late : claims;
  const common = { kind: "lease", tenant: held.tenant, leaseId: held.sub, late: "late" in claims } as const;
  if (!held.cnf) {
    if (isBound) throw problem("unauthorized", "This lease is bound to no key. Send it as Authorization: Bearer <lease>.");
    return { ...common, proof: null };
  }
  const proof = isBound ? await verifyProof(c.req.header("dpop"), { method: c.req.method, url: c.req.url, lease: text, jkt: held.cnf.jkt }, Date.now()) : null;
  if (!proof) throw problem("invalid-dpop-proof", "This lease is bound to a key. Send it as Authorization: DPoP <lease>, with a proof of that key for this very request as DPoP.");
  return { ...common, proof };
}

/** Where a browser says the request comes from. Browsers alone set these, and pages can't forge them. */
function pageOf(c: Context<AppEnv>): { origin: string | null; fromEmbed: boolean } {
  const origin = c.req.header("origin") ?? null;
  const own = new URL(c.req.url).origin;
  if (origin === own || (origin === null && c.req.header("sec-fetch-site") === "same-origin")) return { origin: null, fromEmbed: true };
  return { origin, fromEmbed: false };
}
