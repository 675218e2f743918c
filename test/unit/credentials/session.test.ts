/** The console's session: its text, its cookie, and which requests it is taken from. */
import { describe, expect, test } from "vitest";
import type { KeyId, TenantId } from "../../../schema/contract/ids.ts";
import { masterKeyOf } from "../../../worker/secrets/envelope.ts";
import { NO_SESSION_COOKIE, SESSION_COOKIE, isOwnPage, sessionCookie, sessionTextOf } from "../../../worker/sessions/cookie.ts";
import { type SessionClaims, signSession, verifySession } from "../../../worker/sessions/token.ts";

const NOW = 1_800_000_000_000;
const master = (fill: number) => masterKeyOf(new Uint8Array(32).fill(fill));
const KEYS = { masterKeys: [master(1)], operatorKeySha256: "a".repeat(64) } as const;
const OPERATOR: SessionClaims = { kind: "operator", id: "ses_1", endsAt: NOW + 1 };
const ACME: SessionClaims = { kind: "secret", id: "ses_2", tenant: "acme" as TenantId, keyId: `key_${"0".repeat(24)}` as KeyId, endsAt: NOW + 1 };

describe("the text", () => {
  test.each([OPERATOR, ACME])("says %j until its end", (claims) => {
    const text = signSession(claims, KEYS);
    expect(verifySession(text, KEYS, NOW)).toEqual(claims);
    expect(verifySession(text, KEYS, NOW + 1)).toBeNull();
  });

  test("verifies under the master keys before, and under no other", () => {
    for (const claims of [OPERATOR, ACME]) {
      const text = signSession(claims, KEYS);
      expect(verifySession(text, { ...KEYS, masterKeys: [master(2), master(1)] }, NOW)).toEqual(claims);
      expect(verifySession(text, { ...KEYS, masterKeys: [master(2)] }, NOW)).toBeNull();
    }
  });

  test("of the operator ends with the operator key; a tenant's does not", () => {
    const rotated = { ...KEYS, operatorKeySha256: "b".repeat(64) };
    expect(verifySession(signSession(OPERATOR, KEYS), rotated, NOW)).toBeNull();
    expect(verifySession(signSession(ACME, KEYS), rotated, NOW)).toEqual(ACME);
  });

  test("with any character of what it says or of its MAC changed is no session", () => {
    const text = signSession(ACME, KEYS);
    for (let at = 0; at < text.length - 1; at++) {
      expect(verifySession(text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1), KEYS, NOW), `at ${at}`).toBeNull();
    }
    const [, mac] = text.split(".");
    const promoted = btoa(JSON.stringify(OPERATOR)).replaceAll("=", "");
    expect(verifySession(`${promoted}.${mac}`, KEYS, NOW)).toBeNull();
  });

  test.each(["", ".", "e30", `e30.${"A".repeat(43)}`, `!.${"A".repeat(43)}`, `A.${"A".repeat(43)}`, `${"A".repeat(5000)}.${"A".repeat(43)}`])("%j is none", (text) => {
    expect(verifySession(text, KEYS, NOW)).toBeNull();
  });
});

describe("the cookie", () => {
  test("is for this host alone, over a secure connection, out of reach of scripts and other sites", () => {
    expect(SESSION_COOKIE).toMatch(/^__Host-/);
    expect(sessionCookie("x.y", 60)).toBe(`${SESSION_COOKIE}=x.y; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Strict`);
    expect(NO_SESSION_COOKIE).toBe(`${SESSION_COOKIE}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict`);
  });

  test.each<[string | undefined, string | null]>([
    [undefined, null],
    ["", null],
    ["a=1; b=2", null],
    [`x${SESSION_COOKIE}=1`, null],
    [`${SESSION_COOKIE}=s`, "s"],
    [`a=1; ${SESSION_COOKIE}=s; b=2`, "s"],
    [`${SESSION_COOKIE}=s; ${SESSION_COOKIE}=t`, ""],
  ])("in %j is %j", (header, text) => {
    expect(sessionTextOf(header)).toBe(text);
  });
});

describe("a request with it", () => {
  const OWN = "https://leasehold.test";
  test.each<[string, string | null, string | null, boolean]>([
    ["GET", null, null, true],
    ["HEAD", null, null, true],
    ["GET", null, "same-origin", true],
    ["GET", null, "none", true],
    ["GET", OWN, null, true],
    ["GET", "https://evil.example", null, false],
    ["GET", null, "same-site", false],
    ["GET", null, "cross-site", false],
    ["POST", OWN, null, true],
    ["POST", OWN, "same-origin", true],
    ["DELETE", null, "same-origin", true],
    ["POST", null, null, false],
    ["POST", null, "none", false],
    ["POST", OWN, "same-site", false],
    ["POST", "https://evil.example", "same-origin", false],
    ["POST", "null", null, false],
    ["PUT", "http://leasehold.test", null, false],
    ["PATCH", "https://leasehold.test:8443", null, false],
  ])("%s with Origin %j and Sec-Fetch-Site %j: %j", (method, origin, site, taken) => {
    expect(isOwnPage({ method, own: OWN, origin, site })).toBe(taken);
  });
});
