/**
 * Envelope encryption of a tenant's secrets. Pure but for fresh randomness; synchronous, for use inside a transaction.
 *
 * - A tenant has a data key of its own (32 random bytes). It is kept wrapped: AES-256-GCM under a key derived from the
 *   operator's master key for this tenant alone.
 * - A value is AES-256-GCM under the data key. Its additional data name tenant, name and version, so that a row put in
 *   another row's place does not open.
 * - A box is base64url of nonce (12 bytes, random) ‖ ciphertext ‖ tag (16 bytes). What does not open throws
 *   `SealBroken`, which says nothing of why.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync } from "node:crypto";
import type { TenantId } from "../../schema/contract/ids.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export interface MasterKey {
  /** Tells master keys apart without showing them. */
  readonly id: string;
  readonly bytes: Bytes;
}

export interface SecretPlace {
  readonly tenant: TenantId;
  readonly name: string;
  readonly version: number;
}

export class SealBroken extends Error {
  constructor() {
    super("a sealed value does not open: it was changed, moved, or sealed under another key");
  }
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const utf8 = (text: string): Bytes => new Uint8Array(new TextEncoder().encode(text));

export function masterKeyOf(bytes: Bytes): MasterKey {
  const id = createHash("sha256").update(derive(bytes, "leasehold\nmaster key id")).digest("hex").slice(0, 16);
  return { id, bytes };
}

export const newDataKey = (): Bytes => crypto.getRandomValues(new Uint8Array(32));

export function wrapDataKey(dataKey: Bytes, master: MasterKey, tenant: TenantId): string {
  return seal(dataKey, derive(master.bytes, `leasehold\nwrap\n${tenant}`), wrapPlace(master, tenant));
}

export function unwrapDataKey(box: string, master: MasterKey, tenant: TenantId): Bytes {
  return open(box, derive(master.bytes, `leasehold\nwrap\n${tenant}`), wrapPlace(master, tenant));
}

export function sealSecret(value: string, dataKey: Bytes, place: SecretPlace): string {
  return seal(utf8(value), dataKey, secretPlace(place));
}

export function openSecret(box: string, dataKey: Bytes, place: SecretPlace): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(open(box, dataKey, secretPlace(place)));
}

// JSON of a list of texts and numbers: no two places are spelled alike.
const wrapPlace = (master: MasterKey, tenant: TenantId) => utf8(JSON.stringify(["data key", tenant, master.id]));
const secretPlace = ({ tenant, name, version }: SecretPlace) => utf8(JSON.stringify(["secret", tenant, name, version]));

function derive(master: Bytes, info: string): Bytes {
  return new Uint8Array(hkdfSync("sha256", master, new Uint8Array(32), info, 32));
}

function seal(plain: Bytes, key: Bytes, place: Bytes): string {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(place);
  const parts = [nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()];
  return toBase64Url(concat(parts));
}

function open(box: string, key: Bytes, place: Bytes): Bytes {
  const bytes = fromBase64Url(box);
  if (!bytes || bytes.length < NONCE_BYTES + TAG_BYTES) throw new SealBroken();
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES));
  decipher.setAAD(place);
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  try {
    return concat([decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES)), decipher.final()]);
  } catch {
    throw new SealBroken(); // the tag does not fit: node:crypto says no more than that
  }
}

function concat(parts: readonly Uint8Array[]): Bytes {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function toBase64Url(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Null where the text is no base64url. */
export function fromBase64Url(text: string): Bytes | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return null;
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}
