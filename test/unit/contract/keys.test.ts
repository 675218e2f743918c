import { describe, expect, test } from "vitest";
import type { TenantId } from "../../../schema/contract/ids.ts";
import { crc32, keyHint, makeKey, makeOperatorKey, parseKey } from "../../../schema/contract/keys.ts";

const acme = "acme" as TenantId;

test("crc32 is the one of ISO 3309", () => {
  expect(crc32("123456789")).toBe("cbf43926");
  expect(crc32("")).toBe("00000000");
});

test.each(["secret", "publishable"] as const)("a %s key is spelled with its tenant and parsed back", (kind) => {
  const key = makeKey(kind, acme);
  expect(key).toMatch(new RegExp(`^lh_${kind === "secret" ? "sk" : "pk"}_acme_[0-9a-z]{32}[0-9a-f]{8}$`));
  expect(parseKey(key)).toEqual({ kind, tenant: "acme" });
  expect(keyHint(key)).toBe(`${key.slice(0, 15)}…`);
});

test("an operator key names no tenant", () => {
  const key = makeOperatorKey();
  expect(parseKey(key)).toEqual({ kind: "operator" });
});

test("two keys are never the same, and every character is drawn", () => {
  const keys = Array.from({ length: 200 }, () => makeKey("secret", acme));
  expect(new Set(keys).size).toBe(200);
  expect(new Set(keys.map((key) => key.slice(11, 43)).join("")).size).toBe(36);
});

test("bytes of 252 and above are drawn again, so that no character is likelier", () => {
  let draws = 0;
  const key = makeKey("secret", acme, (bytes) => bytes.fill(draws++ === 0 ? 252 : 35));
  expect(key.slice(11, 43)).toBe("z".repeat(32));
  expect(draws).toBe(2);
});

describe("what is not spelled as a key", () => {
  const key = makeKey("secret", acme);
  const flipped = (at: number) => key.slice(0, at) + (key[at] === "a" ? "b" : "a") + key.slice(at + 1);

  test("any one character changed", () => {
    for (let at = 0; at < key.length; at++) expect(parseKey(flipped(at)), flipped(at)).toBeNull();
  });

  test("any two neighbours swapped", () => {
    for (let at = 0; at < key.length - 1; at++) {
      const swapped = key.slice(0, at) + key[at + 1] + key[at] + key.slice(at + 2);
      if (swapped !== key) expect(parseKey(swapped), swapped).toBeNull();
    }
  });

  const withCrc = (body: string) => body + crc32(body);
  test.each([
    "", "lh_sk_", key.slice(1), `${key} `, ` ${key}`, key.toUpperCase(), `${key}\n`,
    withCrc(`lh_xx_acme_${"0".repeat(32)}`), withCrc(`lh_sk_${"0".repeat(32)}`), withCrc(`lh_op_acme_${"0".repeat(32)}`), withCrc(`lh_sk_-acme_${"0".repeat(32)}`),
    withCrc(`xlh_sk_acme_${"0".repeat(32)}`), withCrc(`lh_sk_acme_${"0".repeat(40)}zz`), withCrc(`lh_sk_ac\u00e9me_${"0".repeat(32)}`),
    withCrc(`lh_sk_acme_${"0".repeat(31)}`), withCrc(`lh_sk_${"a".repeat(33)}_${"0".repeat(32)}`), withCrc(`lh_sk_${"a".repeat(200)}_${"0".repeat(32)}`),
  ])("%j", (text) => {
    expect(parseKey(text)).toBeNull();
  });
});
