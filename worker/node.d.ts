/**
 * The parts of node:crypto that the Worker uses because they are synchronous, for use inside `transactionSync`: a hash,
 * HMAC, HKDF and AES-256-GCM. Texts are never passed to a cipher: workerd wants an encoding stated for them.
 */
declare module "node:crypto" {
  interface Hash {
    update(data: string | Uint8Array): Hash;
    digest(encoding: "hex" | "base64url"): string;
  }
  export function createHash(algorithm: "sha256" | "sha1"): Hash;

  export function createHmac(algorithm: "sha256", key: string | Uint8Array): Hash;
  export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean;

  export function hkdfSync(digest: "sha256", key: Uint8Array, salt: Uint8Array, info: string, length: number): ArrayBuffer;

  interface Cipher {
    setAAD(data: Uint8Array): void;
    update(data: Uint8Array): Uint8Array;
    final(): Uint8Array;
    getAuthTag(): Uint8Array;
  }
  interface Decipher {
    setAAD(data: Uint8Array): void;
    setAuthTag(tag: Uint8Array): void;
    update(data: Uint8Array): Uint8Array;
    final(): Uint8Array;
  }
  export function createCipheriv(algorithm: "aes-256-gcm", key: Uint8Array, nonce: Uint8Array): Cipher;
  export function createDecipheriv(algorithm: "aes-256-gcm", key: Uint8Array, nonce: Uint8Array): Decipher;
}
