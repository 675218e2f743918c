/**
 * Identifiers and their spelling. Ids are branded so that one kind can't be passed for another.
 *
 * - A `TenantId` is a DNS label (RFC 1123, lower case, ≤ 32 characters): it stands in keys, R2 prefixes and URLs.
 *   It never holds `_`, which separates the parts of keys and lease ids.
 * - A `ModelId` never holds `/`, so it is one path segment.
 * - A `Sha256` is 64 lower-case hex digits.
 */
import { z } from "zod";

export const tenantId = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, "1–32 of a–z, 0–9 and '-', not at an end")
  .brand<"TenantId">()
  .meta({ description: "Tenant id: a DNS label of at most 32 characters.", example: "acme" });
export type TenantId = z.infer<typeof tenantId>;

export const modelId = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/, "1–64 of a–z, 0–9, '.', '_' and '-'")
  .brand<"ModelId">()
  .meta({ description: "Model id within the tenant.", example: "ocr" });
export type ModelId = z.infer<typeof modelId>;

export const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "64 lower-case hex digits")
  .brand<"Sha256">()
  .meta({ description: "SHA-256 in lower-case hex.", example: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" });
export type Sha256 = z.infer<typeof sha256>;

export const revisionId = z
  .string()
  .regex(/^rev_[0-9a-f]{24}$/)
  .brand<"RevisionId">()
  .meta({ description: "Revision id.", example: "rev_0f1e2d3c4b5a69788796a5b4" });
export type RevisionId = z.infer<typeof revisionId>;

export const leaseId = z
  .string()
  .regex(/^ls_[a-z0-9-]{1,32}_[0-9a-z]{24}$/)
  .brand<"LeaseId">()
  .meta({ description: "Lease id; carries its tenant.", example: "ls_acme_01k9x2m4p6r8t0v2x4z6b8d0" });
export type LeaseId = z.infer<typeof leaseId>;

export const keyId = z
  .string()
  .regex(/^key_[0-9a-z]{24}$/)
  .brand<"KeyId">()
  .meta({ description: "Key id.", example: "key_01k9x2m4p6r8t0v2x4z6b8d0" });
export type KeyId = z.infer<typeof keyId>;

/** A person or a device at the tenant, named by the tenant. Opaque to Leasehold. */
export const userId = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, "no control characters")
  .brand<"UserId">()
  .meta({ description: "The tenant's own id for its user.", example: "user-456" });
export type UserId = z.infer<typeof userId>;

export const requestId = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,128}$/, "1–128 of A–Z, a–z, 0–9, '.', '_', ':' and '-'")
  .brand<"RequestId">()
  .meta({ description: "Correlation id of one call.", example: "req_7f3c" });
export type RequestId = z.infer<typeof requestId>;

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

const RANDOM_CHARACTERS = 14;
/** Random bytes are drawn for many ids at a time: each call for them costs more than an id does. */
const drawn = new Uint8Array(RANDOM_CHARACTERS * 64);
let used = drawn.length;

function draw(bytes: Uint8Array<ArrayBuffer>): void {
  if (used + bytes.length > drawn.length) {
    crypto.getRandomValues(drawn);
    used = 0;
  }
  bytes.set(drawn.subarray(used, used + bytes.length));
  used += bytes.length;
}

/**
 * A sortable id body of 24 characters: 10 of milliseconds since the epoch, 14 random (70 bits), Crockford base 32.
 * Ids made in the same millisecond have no order. `random` is injectable for tests.
 */
export function sortableId(nowMs: number, random: (bytes: Uint8Array<ArrayBuffer>) => void = draw): string {
  let body = "";
  for (let left = nowMs, i = 0; i < 10; i++, left = Math.floor(left / 32)) body = ALPHABET[left % 32] + body;
  const bytes = new Uint8Array(RANDOM_CHARACTERS);
  random(bytes);
  for (const byte of bytes) body += ALPHABET[byte % 32];
  return body;
}

/** The instant in a sortable id body. */
export function instantOf(body: string): number {
  let at = 0;
  for (const char of body.slice(0, 10)) at = at * 32 + ALPHABET.indexOf(char);
  return at;
}

/** The tenant that a lease id names, or null where the text is no lease id. Says nothing about whether it exists. */
export function tenantOfLeaseId(id: string): TenantId | null {
  if (!leaseId.safeParse(id).success) return null;
  const parsed = tenantId.safeParse(id.split("_")[1]);
  return parsed.success ? parsed.data : null;
}
