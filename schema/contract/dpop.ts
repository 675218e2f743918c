/**
 * DPoP (RFC 9449): a lease bound to a key that its holder made, so that a lease that is seen is not a lease that can be
 * used. `dpop-proof.ts` makes the keys and proofs.
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
