/**
 * Signed users: the tenant's back end vouches for its user's id, so that a visitor can't be somebody else. Pure.
 *
 * - `<hex>`: HMAC-SHA-256 of the id under the identity secret; holds as long as the secret does.
 * - `<exp>.<hex>`: HMAC-SHA-256 of `<exp>`, a line feed and the id; holds until `exp` (seconds since the epoch). Ids hold
 *   no control characters, so neither form can be passed for the other.
 * - Compared in constant time.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

const utf8 = (text: string) => new TextEncoder().encode(text);

export const signUser = (secret: string, user: string, exp?: number): string => {
  const digest = createHmac("sha256", secret).update(exp === undefined ? user : `${exp}\n${user}`).digest("hex");
  return exp === undefined ? digest : `${exp}.${digest}`;
};

export function isSigned(secret: string, user: string, signature: string, now: number): boolean {
  const dot = signature.indexOf(".");
  const exp = dot === -1 ? undefined : Number(signature.slice(0, dot));
  const expected = utf8(signUser(secret, user, exp));
  const given = utf8(signature);
  return given.length === expected.length && timingSafeEqual(given, expected) && (exp === undefined || now < exp * 1000);
}
