/**
 * A chunk as it lies on disk under a tenant's content key: AES-256-GCM over the whole chunk.
 *
 * - Layout: nonce (12 bytes, random for every write) ‖ ciphertext ‖ tag (16 bytes).
 * - Bound to the tenant and to the chunk's digest and length. The digest stands for the place in the model: chunks are
 *   shared by files and revisions, so that an update fetches the difference alone.
 * - The key comes with a lease and is never written down here. What does not open gives null, whatever the reason.
 */
import type { Chunk } from "../../schema/contract/models.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** By how much a sealed chunk is longer. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;

/** `text`: base64url of 32 bytes, as the lease carries it. The key can be used here, and not taken out again. */
export async function importContentKey(text: string): Promise<CryptoKey> {
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  return crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** The parts of the sealed chunk, to be written one after another. */
export async function sealChunk(key: CryptoKey, tenant: string, chunk: Chunk, bytes: Bytes): Promise<readonly [Bytes, ArrayBuffer]> {
  const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  return [iv, await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: boundTo(tenant, chunk) }, key, bytes)];
}

export async function openChunk(key: CryptoKey, tenant: string, chunk: Chunk, sealed: Bytes): Promise<Bytes | null> {
  if (sealed.byteLength !== chunk.size + SEAL_BYTES) return null;
  const iv = sealed.subarray(0, NONCE_BYTES);
  const opened = crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData: boundTo(tenant, chunk) }, key, sealed.subarray(NONCE_BYTES));
  return opened.then((bytes) => new Uint8Array(bytes), () => null);
}

const boundTo = (tenant: string, { sha256, size }: Chunk) => new TextEncoder().encode(JSON.stringify(["leasehold chunk 1", tenant, sha256, size]));
