/**
 * The signed lease: a JWT (RFC 7519, best practice after RFC 8725), EdDSA (RFC 8037), `typ: lease+jwt`.
 *
 * - The first key of the configuration signs; all of them verify, found by `kid`, so that keys rotate with an overlap.
 * - Verified: alg, typ, kid, iss, aud, exp and every claim's shape. Headers that bring keys or extensions
 *   (`jwk`, `jku`, `x5u`, `x5c`, `crit`, `b64`) are refused.
 */
import { type CryptoKey, SignJWT, decodeProtectedHeader, errors, importJWK, jwtVerify } from "jose";
import { type LeaseClaims, leaseClaims } from "../../schema/contract/leases.ts";
import type { Settings } from "../env.ts";
import type { Granted } from "../ledger/desks/lease-desk.ts";

const ALG = "EdDSA" as const;
const TYP = "lease+jwt";
const AUDIENCE = "leasehold";
const FOREIGN_HEADERS = ["jwk", "jku", "x5u", "x5c", "crit", "b64"] as const;

type SigningKey = Settings["signingKeys"][number];

const imported = new WeakMap<SigningKey, { sign: Promise<CryptoKey>; verify: Promise<CryptoKey> }>();

/** Both halves of a configured key, imported once. */
export function importedKey(key: SigningKey) {
  let pair = imported.get(key);
  if (!pair) {
    const { d: _, ...publicKey } = key;
    pair = { sign: importJWK(key, ALG) as Promise<CryptoKey>, verify: importJWK(publicKey, ALG) as Promise<CryptoKey> };
    imported.set(key, pair);
  }
  return pair;
}

/** How long a verifier may keep the keys: a new key is published this long before it signs. */
export const JWKS_CACHE = "public, max-age=300, stale-while-revalidate=60";

/** The public half of every key, as served at /.well-known/jwks.json. */
export function publicJwks(settings: Settings) {
  return { keys: settings.signingKeys.map(({ kty, crv, kid, x }) => ({ kty, crv, kid, x, alg: ALG, use: "sig" as const })) };
}

export async function signLease(granted: Granted, settings: Settings): Promise<string> {
  const key = settings.signingKeys[0] as SigningKey;
  return new SignJWT({ tenant: granted.tenant, model: granted.model, revision: granted.revision, mdg: granted.manifestSha256, purpose: granted.purpose, hold: granted.hold })
    .setProtectedHeader({ alg: ALG, typ: TYP, kid: key.kid })
    .setIssuer(settings.issuer)
    .setAudience(AUDIENCE)
    .setSubject(granted.leaseId)
    .setJti(granted.leaseId)
    .setIssuedAt(Math.floor(granted.issuedAt / 1000))
    .setExpirationTime(Math.floor(granted.expiresAt / 1000))
    .sign(await importedKey(key).sign);
}

/** The claims of a lease that holds now; `expired` where it held before; `invalid` for all else. */
export async function verifyLease(token: string, settings: Settings): Promise<LeaseClaims | "expired" | "invalid"> {
  try {
    const header = decodeProtectedHeader(token);
    const key = settings.signingKeys.find(({ kid }) => kid === header.kid);
    if (!key || FOREIGN_HEADERS.some((name) => name in header)) return "invalid";
    const { payload } = await jwtVerify(token, await importedKey(key).verify, { algorithms: [ALG], typ: TYP, issuer: settings.issuer, audience: AUDIENCE, requiredClaims: ["exp", "sub", "jti", "iat"] });
    const claims = leaseClaims.safeParse(payload);
    return claims.success && claims.data.sub.split("_")[1] === claims.data.tenant ? claims.data : "invalid";
  } catch (cause) {
    if (cause instanceof errors.JWTExpired) return "expired";
    if (cause instanceof errors.JOSEError || cause instanceof TypeError) return "invalid";
    throw cause;
  }
}
