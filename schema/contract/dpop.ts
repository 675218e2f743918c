/**
 * DPoP (RFC 9449): a lease bound to a key that its holder made, so that a lease that is seen is not a lease that can be
 * used. This is what a client sends; it runs wherever WebCrypto does.
 *
 * 1. `makeProofKey()` once. Its private half can't be exported; only the browser uses it.
 * 2. `POST /v1/leases` with `dpop_jkt: key.jkt`. The lease then carries `cnf.jkt`, and the answer the header `DPoP-Nonce`.
 * 3. Each request with that lease: `Authorization: DPoP <lease>` and `DPoP: <proof>`, a new `makeProof` every time.
 * 4. An answer `dpop-nonce-required` (401) brings a new `DPoP-Nonce`: make a proof with it and send the request again,
 *    once. The nonce is the tenant's; take the newest that any answer brought.
 *
 * The server takes ES256 and EdDSA, a clock within 5 minutes of its own, and each proof once.
 */
import { z } from "zod";

export const PROOF_TYPE = "dpop+jwt";
export const PROOF_ALGORITHMS = ["ES256", "EdDSA"] as const;
/** How far the client's clock may be off. The nonce says that a proof is fresh; this only bounds what a clock may claim. */
export const PROOF_SKEW_SECONDS = 300;

/** SHA-256 thumbprint of a public key (RFC 7638), base64url. */
export const thumbprint = z
  .string()
  .regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/, "a JWK thumbprint: SHA-256 in base64url, 43 characters")
  .meta({ description: "JWK thumbprint (RFC 7638) of the key that the lease is bound to.", example: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" });

/** The claims of a proof. `ath` is the SHA-256 of the lease; `htu` is the request's URL without query and fragment. */
export const proofClaims = z.object({
  jti: z.string().min(16).max(128),
  htm: z.string().max(16),
  htu: z.string().max(2048),
  iat: z.int(),
  ath: z.string(),
  nonce: z.string().max(64).optional(),
});
export type ProofClaims = z.infer<typeof proofClaims>;

export interface ProofKey {
  readonly privateKey: CryptoKey;
  readonly jwk: { readonly kty: "EC"; readonly crv: "P-256"; readonly x: string; readonly y: string };
  readonly jkt: string;
}

export interface ProofOf {
  readonly method: string;
  /** Absolute. */
  readonly url: string;
  readonly lease: string;
  readonly nonce: string | null;
  readonly nowMs?: number;
}

export async function makeProofKey(): Promise<ProofKey> {
  // Runtimes type these two calls by what they might return for other arguments.
  const { privateKey, publicKey } = (await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"])) as CryptoKeyPair;
  const { x, y } = (await crypto.subtle.exportKey("jwk", publicKey)) as JsonWebKey;
  const jwk = { kty: "EC", crv: "P-256", x: x as string, y: y as string } as const;
  // RFC 7638: the required members in the order of their names, without white space.
  return { privateKey, jwk, jkt: await digest(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })) };
}

export async function makeProof(key: ProofKey, { method, url, lease, nonce, nowMs = Date.now() }: ProofOf): Promise<string> {
  const { origin, pathname } = new URL(url);
  const claims: ProofClaims = {
    jti: base64url(crypto.getRandomValues(new Uint8Array(16))),
    htm: method,
    htu: origin + pathname,
    iat: Math.floor(nowMs / 1000),
    ath: await digest(lease),
    ...(nonce !== null && { nonce }),
  };
  const input = `${text64({ typ: PROOF_TYPE, alg: "ES256", jwk: key.jwk })}.${text64(claims)}`;
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key.privateKey, new TextEncoder().encode(input));
  return `${input}.${base64url(new Uint8Array(signature))}`;
}

async function digest(text: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
}

const text64 = (value: object) => base64url(new TextEncoder().encode(JSON.stringify(value)));

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
