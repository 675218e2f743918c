/** Settings and leases for tests of the token alone: fresh keys, and whatever claims and headers a test asks for. */
import { type JWTHeaderParameters, type JWTPayload, SignJWT, exportJWK, generateKeyPair, importJWK } from "jose";
import type { Settings } from "../../worker/env.ts";
import type { signLease } from "../../worker/leases/token.ts";

export type SigningJwk = Settings["signingKeys"][0];

export const ISSUER = "https://leasehold.test";

export async function newSigningKey(kid: string): Promise<SigningJwk> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const { x, d } = await exportJWK(privateKey);
  return { kty: "OKP", crv: "Ed25519", kid, x: x as string, d: d as string };
}

export const settingsWith = (...signingKeys: Settings["signingKeys"]): Settings => ({ issuer: ISSUER, signingKeys }) as Settings;

export type Grant = Parameters<typeof signLease>[0];

export function grant(more: Partial<Grant> = {}): Grant {
  const issuedAt = Math.floor(Date.now() / 1000) * 1000;
  return {
    leaseId: "ls_acme_01k9x2m4p6r8t0v2x4z6b8d0", tenant: "acme", model: "ocr", revision: `rev_${"0".repeat(24)}`, manifestSha256: "0".repeat(64),
    purpose: "inference", hold: 100, issuedAt, expiresAt: issuedAt + 300_000, reportsUntil: issuedAt + 300_000, ...more,
  } as Grant;
}

/** The claims that a lease of `grant()` carries. */
export function claims(more: JWTPayload = {}): JWTPayload {
  const { leaseId, tenant, model, revision, manifestSha256, purpose, hold, issuedAt, expiresAt } = grant();
  return {
    tenant, model, revision, mdg: manifestSha256, purpose, hold, iss: ISSUER, aud: "leasehold", sub: leaseId, jti: leaseId,
    iat: issuedAt / 1000, exp: expiresAt / 1000, ...more,
  };
}

/** A token signed with the right key, whatever it says. A header set to undefined is left out. */
export async function forge(key: SigningJwk, payload: JWTPayload, header: Record<string, unknown> = {}): Promise<string> {
  const all = Object.fromEntries(Object.entries({ alg: "EdDSA", typ: "lease+jwt", kid: key.kid, ...header }).filter(([, value]) => value !== undefined));
  return new SignJWT(payload).setProtectedHeader(all as unknown as JWTHeaderParameters).sign(await importJWK(key, "EdDSA"), { crit: { leasehold: true, b64: true } });
}
