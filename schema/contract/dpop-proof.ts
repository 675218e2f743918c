/**
 * Makes DPoP keys and proofs (RFC 9449), wherever WebCrypto is. Apart from `dpop.ts`, so that a page's bundle does without zod.
 */
import type { PROOF_ALGORITHMS, PROOF_TYPE, ProofClaims } from "./dpop.ts";

const TYPE: typeof PROOF_TYPE = "dpop+jwt";
const ALGORITHM: (typeof PROOF_ALGORITHMS)[number] = "ES256";

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
  const input = `${text64({ typ: TYPE, alg: ALGORITHM, jwk: key.jwk })}.${text64(claims)}`;
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
