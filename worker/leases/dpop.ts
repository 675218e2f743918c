/**
 * Verifies a DPoP proof (RFC 9449 §4.3) as far as that is possible without the tenant object: signature by the key that
 * the lease is bound to, method, URL, time, and the lease itself. Whether it is fresh and new, the object says, or the
 * isolate to which the object lent what it has seen (models/passes.ts).
 *
 * - A header holds `typ`, `alg` and `jwk`, nothing else; the key is a public one of the algorithm's own kind.
 */
import { type JWK, calculateJwkThumbprint, compactVerify, decodeProtectedHeader, errors, importJWK } from "jose";
import { PROOF_ALGORITHMS, PROOF_SKEW_SECONDS, PROOF_TYPE, proofClaims } from "../../schema/contract/dpop.ts";
import { sha256Base64Url } from "../ledger/audit-chain.ts";

export const REPLAYED_PROOF = "This proof came with another request before. Make a new one for each request.";

/** A proof that holds, on its way to the object. */
export interface Proof {
  readonly jti: string;
  readonly nonce: string | null;
  /** Names the one request that brought it: the object may be asked more than once for it. */
  readonly request: string;
}

export interface ProvedRequest {
  readonly method: string;
  readonly url: string;
  readonly lease: string;
  /** The thumbprint that the lease is bound to. */
  readonly jkt: string;
}

const MAX_LENGTH = 4096;
/** What a public key may hold; of the last five it is told nothing. That it is one of its algorithm's kind, jose sees to. */
const MEMBERS: ReadonlySet<string> = new Set(["kty", "crv", "x", "y", "alg", "use", "key_ops", "ext", "kid"]);
const HEADERS: ReadonlySet<string> = new Set(["typ", "alg", "jwk"]);

export async function verifyProof(text: string | undefined, request: ProvedRequest, nowMs: number): Promise<Proof | null> {
  if (text === undefined || text.length > MAX_LENGTH || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return null;
  try {
    const header = decodeProtectedHeader(text);
    const { jwk } = header;
    const alg = PROOF_ALGORITHMS.find((known) => known === header.alg);
    if (!alg || header.typ !== PROOF_TYPE || !isPublic(jwk) || Object.keys(header).some((name) => !HEADERS.has(name))) return null;
    if ((await calculateJwkThumbprint(jwk, "sha256")) !== request.jkt) return null;
    const { payload } = await compactVerify(text, await importJWK(jwk, alg), { algorithms: [alg] });
    const claims = proofClaims.safeParse(JSON.parse(new TextDecoder().decode(payload)));
    if (!claims.success || !isFor(claims.data, request, nowMs)) return null;
    return { jti: claims.data.jti, nonce: claims.data.nonce ?? null, request: crypto.randomUUID() };
  } catch (cause) {
    if (cause instanceof errors.JOSEError || cause instanceof TypeError || cause instanceof SyntaxError || cause instanceof DOMException) return null;
    throw cause;
  }
}

const isPublic = (jwk: unknown): jwk is JWK => typeof jwk === "object" && jwk !== null && Object.keys(jwk).every((name) => MEMBERS.has(name));

function isFor(claims: { htm: string; htu: string; iat: number; ath: string }, { method, url, lease }: ProvedRequest, nowMs: number): boolean {
  if (claims.htm !== method || Math.abs(Math.floor(nowMs / 1000) - claims.iat) > PROOF_SKEW_SECONDS || !URL.canParse(claims.htu)) return false;
  const [named, asked] = [new URL(claims.htu), new URL(url)];
  return named.origin === asked.origin && named.pathname === asked.pathname && claims.ath === sha256Base64Url(lease);
}
