/**
 * The text of a console session: what it stands for and when it ends, with a MAC. Pure.
 *
 * - It names the key by its id, never by its text: the tenant object looks that key up on every request, so a session
 *   ends with the key that it was obtained with. The operator's names no key: the hash of the operator key is part of
 *   what is authenticated, so that another operator key ends it.
 * - HMAC-SHA-256 under a key derived from the master key; while master keys rotate, the previous ones still verify.
 */
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { keyId, tenantId } from "../../schema/contract/ids.ts";
import type { Settings } from "../env.ts";
import { fromBase64Url, toBase64Url } from "../secrets/envelope.ts";

const one = { id: z.string().regex(/^ses_[0-9a-z]{1,60}$/), endsAt: z.int().min(0) };
const claims = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("operator"), ...one }),
  z.strictObject({ kind: z.literal("secret"), tenant: tenantId, keyId, ...one }),
]);
/** `id`: names this one session, for the end that signing out makes; `endsAt`: milliseconds since the epoch. */
export type SessionClaims = z.infer<typeof claims>;

type Keys = Pick<Settings, "masterKeys" | "operatorKeySha256">;
const utf8 = (text: string) => new TextEncoder().encode(text);
const SPELLING = /^[\w-]{1,512}\.[\w-]{43}$/;

export function signSession(session: SessionClaims, keys: Keys): string {
  const payload = toBase64Url(utf8(JSON.stringify(session)));
  return `${payload}.${macOf(payload, session.kind, keys.masterKeys[0], keys)}`;
}

/** What the session stands for; null where this deployment did not sign it, or it has ended. */
export function verifySession(text: string, keys: Keys, now: number): SessionClaims | null {
  if (!SPELLING.test(text)) return null;
  const [payload, mac] = text.split(".") as [string, string];
  const parsed = claims.safeParse(jsonOf(payload));
  if (!parsed.success || parsed.data.endsAt <= now) return null;
  const { data } = parsed;
  return keys.masterKeys.some((master) => timingSafeEqual(utf8(mac), utf8(macOf(payload, data.kind, master, keys)))) ? data : null;
}

function macOf(payload: string, kind: SessionClaims["kind"], master: Keys["masterKeys"][0], { operatorKeySha256 }: Keys): string {
  const key = new Uint8Array(hkdfSync("sha256", master.bytes, new Uint8Array(32), "leasehold\nconsole session", 32));
  const signed = kind === "operator" ? `operator\n${operatorKeySha256}\n${payload}` : `secret\n${payload}`;
  return createHmac("sha256", key).update(signed).digest("base64url");
}

function jsonOf(payload: string): unknown {
  const bytes = fromBase64Url(payload);
  if (bytes === null) return null;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}
