/**
 * A chunk as it lies on disk under a tenant's content key: AES-256-GCM over its records, of half a megabyte each.
 *
 * - Layout: nonce (12 bytes, random for every write) ‖ ciphertext and tag (16 bytes) of each record. A record's nonce is
 *   the chunk's, its last four bytes counted up.
 * - Bound to the tenant, to the chunk's digest and length and to the record's place. The digest stands for the place in
 *   the model: chunks are shared by files and revisions, so that an update fetches the difference alone.
 * - Records, because browsers take memory of a megabyte and more from the system anew for every call, which costs as
 *   much as the cipher.
 * - The key comes with a lease and is never written down here. What does not open gives null, whatever the reason.
 */
import type { Chunk } from "../../schema/contract/models.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const RECORD_BYTES = 512 * 1024;

/** `text`: base64url of 32 bytes, as the lease carries it. The key can be used here, and not taken out again. */
export async function importContentKey(text: string): Promise<CryptoKey> {
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  return crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** How long a chunk is once it is sealed. */
export const sealedBytes = (size: number): number => NONCE_BYTES + size + TAG_BYTES * recordsOf(size);

/** The parts of the sealed chunk, to be written one after another. The bytes are read at once. */
export async function sealChunk(key: CryptoKey, tenant: string, chunk: Chunk, bytes: Bytes): Promise<Bytes[]> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const records = Array.from({ length: recordsOf(chunk.size) }, async (_, at) => {
    const sealed = await crypto.subtle.encrypt(algorithmOf(nonce, tenant, chunk, at), key, bytes.subarray(at * RECORD_BYTES, (at + 1) * RECORD_BYTES));
    return new Uint8Array(sealed);
  });
  return [nonce, ...(await Promise.all(records))];
}

/** In its place: the memory of `sealed` becomes the chunk's, or is of no use to anybody. */
export async function openChunk(key: CryptoKey, tenant: string, chunk: Chunk, sealed: Bytes): Promise<Bytes | null> {
  if (sealed.byteLength !== sealedBytes(chunk.size)) return null;
  const nonce = sealed.slice(0, NONCE_BYTES);
  try {
    for (let at = 0; at < recordsOf(chunk.size); at++) {
      const begin = NONCE_BYTES + at * (RECORD_BYTES + TAG_BYTES);
      const record = await crypto.subtle.decrypt(algorithmOf(nonce, tenant, chunk, at), key, sealed.subarray(begin, begin + RECORD_BYTES + TAG_BYTES));
      sealed.set(new Uint8Array(record), at * RECORD_BYTES);
    }
  } catch {
    return null;
  }
  return sealed.subarray(0, chunk.size);
}

const recordsOf = (size: number) => Math.ceil(size / RECORD_BYTES);

function algorithmOf(nonce: Bytes, tenant: string, { sha256, size }: Chunk, at: number): AesGcmParams {
  const iv = nonce.slice();
  const tail = new DataView(iv.buffer, NONCE_BYTES - 4);
  tail.setUint32(0, (tail.getUint32(0) + at) % 2 ** 32);
  return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(JSON.stringify(["leasehold chunk 2", tenant, sha256, size, at])) };
}
