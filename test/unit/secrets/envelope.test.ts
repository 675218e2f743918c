/** The envelope of secrets: what was sealed opens in its own place, under its own key, unchanged; nothing else opens. */
import { createDecipheriv, createHash, hkdfSync } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TenantId } from "../../../schema/contract/ids.ts";
import { SealBroken, fromBase64Url, masterKeyOf, newDataKey, openSecret, sealSecret, toBase64Url, unwrapDataKey, wrapDataKey } from "../../../worker/secrets/envelope.ts";

const acme = "acme" as TenantId;
const globex = "globex" as TenantId;
const master = masterKeyOf(new Uint8Array(32).fill(1));
const otherMaster = masterKeyOf(new Uint8Array(32).fill(2));
const place = { tenant: acme, name: "openai-key", version: 3 };

test("any text opens as it was sealed", () => {
  const dataKey = newDataKey();
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.integer({ min: 1 }), (value, version) => {
      const at = { ...place, version };
      expect(openSecret(sealSecret(value, dataKey, at), dataKey, at)).toBe(value);
    }),
  );
  for (const value of ["\ufeffBOM first", "nul \0 inside", " spaces ", "ü𝄞", ""]) expect(openSecret(sealSecret(value, dataKey, place), dataKey, place)).toBe(value);
});

test("the same value never looks the same twice", () => {
  const dataKey = newDataKey();
  const boxes = new Set(Array.from({ length: 200 }, () => sealSecret("sk-1", dataKey, place)));
  expect(boxes.size).toBe(200);
});

describe("nothing opens", () => {
  const dataKey = newDataKey();
  const box = sealSecret("sk-live", dataKey, place);
  test.each([
    ["of another tenant", { ...place, tenant: globex }],
    ["under another name", { ...place, name: "huggingface-token" }],
    ["of an earlier version", { ...place, version: 2 }],
    ["of a later version", { ...place, version: 30 }],
    ["where name and version run into each other", { ...place, name: "openai-key3", version: 3 }],
  ])("%s", (_, at) => {
    expect(() => openSecret(box, dataKey, at)).toThrow(SealBroken);
  });

  test("under another data key", () => {
    expect(() => openSecret(box, newDataKey(), place)).toThrow(SealBroken);
  });

  test("with any bit of it changed", () => {
    const bytes = fromBase64Url(box) as Uint8Array<ArrayBuffer>;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = new Uint8Array(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => openSecret(toBase64Url(changed), dataKey, place), `bit ${bit}`).toThrow(SealBroken);
    }
  });

  test("with a byte taken away or added, or that is no base64url at all", () => {
    const bytes = fromBase64Url(box) as Uint8Array<ArrayBuffer>;
    for (let length = 0; length < bytes.length; length++) expect(() => openSecret(toBase64Url(bytes.subarray(0, length)), dataKey, place)).toThrow(SealBroken);
    for (const text of [`${box}AA`, "", "***", `${box}=`, ` ${box}`]) expect(() => openSecret(text, dataKey, place)).toThrow(SealBroken);
  });
});

describe("the data key", () => {
  const dataKey = newDataKey();
  const box = wrapDataKey(dataKey, master, acme);

  test("comes back from under its master key, for its own tenant alone", () => {
    expect(unwrapDataKey(box, master, acme)).toEqual(dataKey);
    expect(() => unwrapDataKey(box, master, globex)).toThrow(SealBroken);
    expect(() => unwrapDataKey(box, otherMaster, acme)).toThrow(SealBroken);
    expect(() => unwrapDataKey(box, { ...otherMaster, id: master.id }, acme)).toThrow(SealBroken);
    expect(() => unwrapDataKey(box, { ...master, id: otherMaster.id }, acme)).toThrow(SealBroken);
  });

  test("opens the same secrets after it was wrapped anew under another master key", () => {
    const secret = sealSecret("sk-live", dataKey, place);
    const moved = wrapDataKey(unwrapDataKey(box, master, acme), otherMaster, acme);
    expect(openSecret(secret, unwrapDataKey(moved, otherMaster, acme), place)).toBe("sk-live");
  });

  test("is no secret's box and the other way round", () => {
    const asSecret = sealSecret(toBase64Url(dataKey), dataKey, place);
    expect(() => unwrapDataKey(asSecret, master, acme)).toThrow(SealBroken);
    expect(() => openSecret(box, dataKey, place)).toThrow(SealBroken);
  });
});

test("a master key's id says nothing of the key but which it is", () => {
  expect(master.id).toMatch(/^[0-9a-f]{16}$/);
  expect(master.id).not.toBe(otherMaster.id);
  expect(masterKeyOf(new Uint8Array(32).fill(1)).id).toBe(master.id);
});

test("the form is the documented one: nonce ‖ ciphertext ‖ tag, read here without our own code", () => {
  const dataKey = newDataKey();
  const wrapped = Buffer.from(wrapDataKey(dataKey, master, acme), "base64url");
  const key = new Uint8Array(hkdfSync("sha256", master.bytes, new Uint8Array(32), `leasehold\nwrap\n${acme}`, 32));
  const decipher = createDecipheriv("aes-256-gcm", key, wrapped.subarray(0, 12));
  decipher.setAAD(Buffer.from(`["data key","acme","${master.id}"]`));
  decipher.setAuthTag(wrapped.subarray(-16));
  expect(new Uint8Array(Buffer.concat([decipher.update(wrapped.subarray(12, -16)), decipher.final()]))).toEqual(dataKey);
});

test("and so are a secret's box and a master key's id: what is stored must open tomorrow too", () => {
  const dataKey = newDataKey();
  const box = Buffer.from(sealSecret("sk-live", dataKey, place), "base64url");
  const decipher = createDecipheriv("aes-256-gcm", dataKey, box.subarray(0, 12));
  decipher.setAAD(Buffer.from('["secret","acme","openai-key",3]'));
  decipher.setAuthTag(box.subarray(-16));
  expect(Buffer.concat([decipher.update(box.subarray(12, -16)), decipher.final()]).toString()).toBe("sk-live");
  const derived = new Uint8Array(hkdfSync("sha256", master.bytes, new Uint8Array(32), "leasehold\nmaster key id", 32));
  expect(master.id).toBe(createHash("sha256").update(derived).digest("hex").slice(0, 16));
});

test("base64url is the strict one", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    expect(fromBase64Url(toBase64Url(bytes))).toEqual(new Uint8Array(bytes));
  }));
});
