/**
 * The text of keys: `lh_sk_<tenant>_<random><crc32>`, `lh_pk_<tenant>_<random><crc32>`, `lh_op_<random><crc32>`.
 *
 * - `random` is 32 characters of 0–9a–z (165 bits), `crc32` eight hex digits (ISO 3309) of all that stands before it:
 *   a mistyped or made-up key is refused without asking a tenant object.
 * - Parsing proves nothing but the spelling; the tenant object holds the SHA-256 of the whole text.
 */
import { type TenantId, tenantId } from "./ids.ts";

export type ParsedKey =
  | { readonly kind: "secret" | "publishable"; readonly tenant: TenantId }
  | { readonly kind: "operator" };

const PREFIX = { secret: "lh_sk_", publishable: "lh_pk_", operator: "lh_op_" } as const;
const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH = 32;

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** CRC-32 (ISO 3309) of an ASCII text, eight lower-case hex digits. */
export function crc32(text: string): string {
  let c = 0xffffffff;
  for (let i = 0; i < text.length; i++) c = (TABLE[(c ^ text.charCodeAt(i)) & 0xff] as number) ^ (c >>> 8);
  return ((c ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}

/** Fills the array with bytes that nobody can guess. */
export type RandomSource = (bytes: Uint8Array<ArrayBuffer>) => void;

const systemRandom: RandomSource = (bytes) => void crypto.getRandomValues(bytes);

/** Uniform over the alphabet: bytes of 252 and above are drawn again. */
function randomText(length: number, random: RandomSource): string {
  let text = "";
  while (text.length < length) {
    const bytes = new Uint8Array(length);
    random(bytes);
    for (const byte of bytes) {
      if (byte < 252 && text.length < length) text += ALPHABET[byte % 36];
    }
  }
  return text;
}

export function makeOperatorKey(): string {
  const body = `${PREFIX.operator}${randomText(RANDOM_LENGTH, systemRandom)}`;
  return body + crc32(body);
}

export function makeKey(kind: "secret" | "publishable", tenant: TenantId, random: RandomSource = systemRandom): string {
  const body = `${PREFIX[kind]}${tenant}_${randomText(RANDOM_LENGTH, random)}`;
  return body + crc32(body);
}

/** What the text claims to be, or null where it is not spelled as a key. */
export function parseKey(text: string): ParsedKey | null {
  const match = /^lh_(op|sk|pk)_(?:([a-z0-9-]{1,32})_)?[0-9a-z]{32}[0-9a-f]{8}$/.exec(text);
  if (!match || crc32(text.slice(0, -8)) !== text.slice(-8)) return null;
  if (match[1] === "op") return match[2] === undefined ? { kind: "operator" } : null;
  const tenant = tenantId.safeParse(match[2]);
  return tenant.success ? { kind: match[1] === "sk" ? "secret" : "publishable", tenant: tenant.data } : null;
}

/** What may be shown of a key in lists: kind, tenant and four random characters. */
export function keyHint(key: string): string {
  const at = key.lastIndexOf("_") + 1;
  return `${key.slice(0, at)}${key.slice(at, at + 4)}…`;
}
