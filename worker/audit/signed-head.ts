/**
 * A signed head: a JWS (RFC 7515, EdDSA, `typ: audit-head+jws`) that says "event `seq` of this tenant has this hash".
 *
 * - Signed with the keys that sign leases; `typ` and the claims keep the two apart: neither is ever taken for the other.
 * - `prev` names the head that was signed before by the SHA-256 of its text: a missing one shows.
 * - It is verified with every key that the tenant object ever signed a head with, so that it outlives a rotation.
 */
import { CompactSign, compactVerify, decodeProtectedHeader, errors, importJWK } from "jose";
import { z } from "zod";
import { timestamp, toTimestamp } from "../../schema/contract/amounts.ts";
import { sha256 } from "../../schema/contract/ids.ts";
import type { Settings } from "../env.ts";
import { importedKey } from "../leases/token.ts";
import type { ChainHead } from "../ledger/audit-chain.ts";

const ALG = "EdDSA";
const TYP = "audit-head+jws";
const HEADERS: ReadonlySet<string> = new Set(["alg", "typ", "kid"]);

const seq = z.int().min(1);
const headClaims = z.strictObject({
  iss: z.string(),
  /** Held against the tenant that is asked about: an id, or what the operator's own chain is under. */
  tenant: z.string(),
  seq,
  hash: sha256,
  /** When the event happened, and when this was signed. */
  at: timestamp,
  signed_at: timestamp,
  prev: z.strictObject({ seq, sha256 }).nullable(),
});
export type HeadClaims = z.infer<typeof headClaims>;

/** Names one signed head: its place in the chain and the SHA-256 of its text. */
export interface HeadName {
  readonly seq: number;
  readonly sha256: string;
}

/** The public half of a key: enough to verify. */
export interface HeadKey {
  readonly kid: string;
  readonly x: string;
}

/** The key that signs now. */
export function signingKey(settings: Settings): HeadKey {
  const [{ kid, x }] = settings.signingKeys as [Settings["signingKeys"][number]];
  return { kid, x };
}

export async function signHead(tenant: string, head: ChainHead, prev: HeadName | null, now: number, settings: Settings): Promise<string> {
  const [key] = settings.signingKeys as [Settings["signingKeys"][number]];
  const claims = { iss: settings.issuer, tenant, seq: head.seq, hash: head.hash, at: toTimestamp(head.at), signed_at: toTimestamp(now), prev };
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims))).setProtectedHeader({ alg: ALG, typ: TYP, kid: key.kid }).sign(await importedKey(key).sign);
}

/** The claims of a head of this tenant that one of these keys signed; null for all else. */
export async function verifyHead(jws: string, tenant: string, keys: readonly HeadKey[]): Promise<HeadClaims | null> {
  try {
    const { kid } = decodeProtectedHeader(jws);
    const key = keys.find((known) => known.kid === kid);
    if (!key) return null;
    const { payload, protectedHeader } = await compactVerify(jws, await importJWK({ kty: "OKP", crv: "Ed25519", x: key.x }, ALG), { algorithms: [ALG] });
    if (protectedHeader.typ !== TYP || Object.keys(protectedHeader).some((name) => !HEADERS.has(name))) return null;
    const claims = headClaims.safeParse(JSON.parse(new TextDecoder().decode(payload)));
    return claims.success && claims.data.tenant === tenant ? claims.data : null;
  } catch (cause) {
    if (cause instanceof errors.JOSEError || cause instanceof TypeError || cause instanceof SyntaxError) return null;
    throw cause;
  }
}
