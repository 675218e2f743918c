/**
 * Keys derived from the master key with HKDF-SHA-256 (RFC 5869): one label, one key; nothing of them is stored.
 */
import type { RandomSource } from "../../schema/contract/keys.ts";

async function derive(masterKey: Uint8Array<ArrayBuffer>, label: string, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", masterKey, "HKDF", false, ["deriveBits"]);
  const info = new TextEncoder().encode(`leasehold\n${label}`);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(32), info }, key, length * 8));
}

/** A source of `length` derived bytes, handed out in order. Throws RangeError when they are used up. */
export async function derivedBytes(masterKey: Uint8Array<ArrayBuffer>, label: string, length: number): Promise<RandomSource> {
  const all = await derive(masterKey, label, length);
  let at = 0;
  return (bytes) => {
    if (at + bytes.length > all.length) throw new RangeError("the derived bytes are used up");
    bytes.set(all.subarray(at, at + bytes.length));
    at += bytes.length;
  };
}
