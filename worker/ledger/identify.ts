/**
 * Decides who a presented credential is and whether the way in is open to it. Pure but for reading the key ring and which
 * sessions were signed out of. The operator's sessions were looked up before (http/present.ts).
 *
 * - An unknown, revoked or expired key: `unauthorized`, in the same words.
 * - A secret key from a browser page: `origin-not-allowed` (but where it signs in, from our own page); a publishable key from a page that it does not name: the same.
 * - A known credential that this way in is not for: `forbidden`.
 */
import type { LeaseId } from "../../schema/contract/ids.ts";
import type { Access, Identity, Presented } from "../tenants/credential.ts";
import type { EndedSessions } from "./ended-sessions.ts";
import type { KeyRing, StoredKey } from "./key-ring.ts";
import { type Result, done, refuse } from "./result.ts";

export const ENDED_SESSION = "The session has ended, or the key that it was obtained with has. Sign in again.";
export const UNKNOWN_KEY = "The key is unknown, revoked or expired. Use a current key of this tenant.";

/** The tenant whose object this is. */
type Premises = Pick<Identity, "tenant" | "isolation">;

export interface Identified extends Identity {
  readonly key: StoredKey | null;
}

export function identify(presented: Presented, access: readonly Access[], at: Premises, keys: Pick<KeyRing, "byHash" | "byId">, ended: Pick<EndedSessions, "has">, now: number): Result<Identified> {
  switch (presented.kind) {
    case "operator":
      return access.includes("operator") ? done(identified(at, "operator", "operator", null, null)) : notForThis("the operator key");
    case "lease":
      if (presented.late && !access.includes("late-lease")) return refuse("lease-expired", "This lease has ended: its usage may still be reported, and nothing else. Ask for a new one.");
      return access.includes("lease") ? done(identified(at, presented.leaseId, "lease", null, presented.leaseId)) : notForThis("a lease");
    case "key": {
      const key = keys.byHash(presented.hash);
      if (!key || key.type !== presented.type || !isUsable(key, now)) return refuse("unauthorized", UNKNOWN_KEY);
      return key.type === "secret" ? secretKey(key, presented.origin !== null || (presented.fromEmbed && !presented.signsIn), access, at) : publishableKey(key, presented.origin, presented.fromEmbed, access, at);
    }
    case "session": {
      const key = keys.byId(presented.keyId);
      const holds = key?.type === "secret" && isUsable(key, now) && presented.session.endsAt > now && !ended.has(presented.session.id);
      return holds ? secretKey(key, false, access, at) : refuse("unauthorized", ENDED_SESSION);
    }
  }
}

export const isUsable = (key: StoredKey, now: number): boolean => key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now);

function secretKey(key: StoredKey, inPage: boolean, access: readonly Access[], at: Premises): Result<Identified> {
  if (inPage) {
    return refuse("origin-not-allowed", "A secret key must never be used in a browser. Use a publishable key there, and rotate this one.");
  }
  const open = key.scopes.includes("admin") ? access.some(isScope) : key.scopes.some((scope) => access.includes(scope));
  if (open) return done(identified(at, key.id, "secret", key, null));
  const needed = access.filter(isScope);
  return needed.length > 0 ? refuse("forbidden", `This needs a secret key with the scope ${needed.join(" or ")}.`) : notForThis("a secret key");
}

function publishableKey(key: StoredKey, origin: string | null, fromEmbed: boolean, access: readonly Access[], at: Premises): Result<Identified> {
  if (!access.includes("publishable")) return notForThis("a publishable key");
  if (!fromEmbed && !key.origins.some((named) => named === origin)) {
    return refuse("origin-not-allowed", `This publishable key is not for ${origin ?? "a request without an Origin"}. Add the page's origin to the key.`);
  }
  return done(identified(at, key.id, "publishable", key, null));
}

const isScope = (way: Access) => way === "leases" || way === "admin" || way === "read";
const notForThis = (what: string) => refuse("forbidden", `This is not for ${what}.`);

function identified(at: Premises, actor: string, kind: Identity["kind"], key: StoredKey | null, leaseId: LeaseId | null): Identified {
  return { tenant: at.tenant, isolation: at.isolation, actor, kind, keyId: key?.id ?? null, leaseId, key };
}
