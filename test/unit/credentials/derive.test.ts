import { hkdfSync } from "node:crypto";
import { expect, test } from "vitest";
import { derivedBytes } from "../../../worker/tenants/derive.ts";

const master = new Uint8Array(32).fill(7);
const take = (source: (bytes: Uint8Array<ArrayBuffer>) => void, length: number) => {
  const bytes = new Uint8Array(length);
  source(bytes);
  return Buffer.from(bytes).toString("hex");
};
const all = (label: string, key = master) => Buffer.from(hkdfSync("sha256", key, new Uint8Array(32), `leasehold\n${label}`, 96)).toString("hex");

test("is HKDF-SHA-256, handed out in order: the same bytes for the same key and label", async () => {
  const source = await derivedBytes(master, "key acme", 96);
  expect(take(source, 32) + take(source, 60) + take(source, 4)).toBe(all("key acme"));
  expect(take(await derivedBytes(master, "key acme", 96), 96)).toBe(all("key acme"));
});

test("another label or another master key is another source", async () => {
  expect(take(await derivedBytes(master, "key globex", 96), 96)).toBe(all("key globex"));
  const texts = new Set([all("key acme"), all("key globex"), take(await derivedBytes(new Uint8Array(32).fill(8), "key acme", 96), 96)]);
  expect(texts.size).toBe(3);
});

test("what is used up gives nothing twice: it throws", async () => {
  const source = await derivedBytes(master, "x", 32);
  take(source, 32);
  expect(() => take(source, 1)).toThrow(RangeError);
});
