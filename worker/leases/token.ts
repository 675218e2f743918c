/**
 * The signed lease: a JWT (RFC 7519, best practice after RFC 8725), EdDSA (RFC 8037), `typ: lease+jwt`.
 *
 * - The first key of the configuration signs; all of them verify, found by `kid`, so that keys rotate with an overlap.
 * - Verified: alg, typ, kid, iss, aud, exp and every claim's shape. A header holds `alg`, `typ` and `kid` and nothing
 *   else: no key that the token brings along (`jwk`, `jku`, `x5u`, `x5c`), no extension (`crit`, `b64`).
 * - One signature has one spelling: base64url leaves 4 bits of its last character unused, and they must be zero.
 */
import { type CryptoKey, type JWTPayload, decodeProtectedHeader, errors, importJWK, jwtVerify } from "jose";
import { type LeaseClaims, leaseClaims } from "../../schema/contract/leases.ts";
import type { Settings } from "../env.ts";
import type { Granted } from "../ledger/desks/lease-desk.ts";
import { toBase64Url } from "../secrets/envelope.ts";

const ALG = "EdDSA" as const;
const TYP = "lease+jwt";
const AUDIENCE = "leasehold";
const SPELLING = /^[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]$/;
const HEADERS: ReadonlySet<string> = new Set(["alg", "typ", "kid"]);

type SigningKey = Settings["signingKeys"][number];

const imported = new WeakMap<SigningKey, { sign: Promise<CryptoKey>; verify: Promise<CryptoKey>; header: string }>();

/** Both halves of a configured key, imported once, and the header of what it signs. */
export function importedKey(key: SigningKey) {
  let pair = imported.get(key);
  if (!pair) {
    const { d: _, ...publicKey } = key;
    pair = { sign: importJWK(key, ALG) as Promise<CryptoKey>, verify: importJWK(publicKey, ALG) as Promise<CryptoKey>, header: encoded({ alg: ALG, typ: TYP, kid: key.kid }) };
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

/** `jkt`: the key that the lease is bound to (RFC 9449), where it is. */
export async function signLease(granted: Granted, settings: Settings, jkt?: string): Promise<string> {
  const key = settings.signingKeys[0];
  const claims: JWTPayload = {
    ...(granted.reportsUntil > granted.expiresAt && { rpt: Math.floor(granted.reportsUntil / 1000) }),
    ...(jkt !== undefined && { cnf: { jkt } }),
    tenant: granted.tenant, model: granted.model, revision: granted.revision, mdg: granted.manifestSha256, purpose: granted.purpose, hold: granted.hold,
    iss: settings.issuer, aud: AUDIENCE, sub: granted.leaseId, jti: granted.leaseId, iat: Math.floor(granted.issuedAt / 1000), exp: Math.floor(granted.expiresAt / 1000),
  };
  const { sign, header } = importedKey(key);
  const signed = `${header}.${encoded(claims)}`;
  const signature = await crypto.subtle.sign("Ed25519", await sign, utf8(signed));
  return `${signed}.${toBase64Url(new Uint8Array(signature))}`;
}

const encoder = new TextEncoder();
const utf8 = (text: string) => encoder.encode(text);
const encoded = (value: object) => toBase64Url(utf8(JSON.stringify(value)));

/**
 * The claims of a lease that holds now; `late` where it no longer holds but may still be reported; `expired` where it
 * held before; `invalid` for all else.
 */
export async function verifyLease(token: string, settings: Settings): Promise<LeaseClaims | { readonly late: LeaseClaims } | "expired" | "invalid"> {
  if (!SPELLING.test(token)) return "invalid";
  try {
    const header = decodeProtectedHeader(token);
    const key = settings.signingKeys.find(({ kid }) => kid === header.kid);
    if (!key || header.typ !== TYP || Object.keys(header).some((name) => !HEADERS.has(name))) return "invalid";
    const { payload } = await jwtVerify(token, await importedKey(key).verify, { algorithms: [ALG], typ: TYP, issuer: settings.issuer, audience: AUDIENCE });
    return claimsOf(payload) ?? "invalid";
  } catch (cause) {
    if (cause instanceof errors.JWTExpired) {
      // jose has verified the signature and every other claim by then; the end of reports is judged as it judges `exp`.
      const late = claimsOf(cause.payload);
      return late?.rpt !== undefined && Math.floor(Date.now() / 1000) < late.rpt ? { late } : "expired";
    }
    if (cause instanceof errors.JOSEError || cause instanceof TypeError) return "invalid";
    throw cause;
  }
}

function claimsOf(payload: JWTPayload): LeaseClaims | null {
  const claims = leaseClaims.safeParse(payload);
  return claims.success && claims.data.sub.split("_")[1] === claims.data.tenant ? claims.data : null;
}
