import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AuditFact, EMPTY_CHAIN, GENESIS, canonicalJson, chain, hashOf, sha256Hex } from "../../../worker/ledger/audit-chain.ts";

const fact: AuditFact = { action: "LEASE_GRANTED", actor: "key_1", user: "u", model: "m", requestId: "r", details: { hold: 5, nested: { b: 1, a: [true, null] } } };

describe("canonical JSON", () => {
  test.each([
    [{ b: 1, a: 2 }, '{"a":2,"b":1}'],
    [{ a: { d: 1, c: [3, { f: 1, e: 2 }] } }, '{"a":{"c":[3,{"e":2,"f":1}],"d":1}}'],
    [{ a: undefined, b: null }, '{"b":null}'],
    [[undefined, "x"], '[null,"x"]'],
    [{ "é": 1, "z": 2, "Z": 3 }, '{"Z":3,"z":2,"é":1}'],
    ['quote " and \n', '"quote \\" and \\n"'],
    [undefined, "null"],
    [0.5, "0.5"],
  ])("%j", (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  // Without backslashes: V8 13.6 reads the key `\"` as `\` where it has read an object with the key `\` at that place before.
  const character = fc.string({ minLength: 1, maxLength: 1 }).filter((text) => text !== "\\");

  test("does not depend on the order of keys, and says the same as the value", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: character }), fc.jsonValue({ stringUnit: character })), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).toReversed());
        expect(canonicalJson(reversed)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test("escapes keys", () => {
    expect(canonicalJson({ "\\": 1, '"': 2 })).toBe(String.raw`{"\"":2,"\\":1}`);
  });
});

test("SHA-256 of text and of bytes, in hex", () => {
  expect(sha256Hex("abc")).toBe(createHash("sha256").update("abc").digest("hex"));
  expect(sha256Hex(new TextEncoder().encode("abc"))).toBe(sha256Hex("abc"));
});

describe("the chain", () => {
  test("starts at the genesis and counts from 1", () => {
    expect(GENESIS).toBe("0".repeat(64));
    const first = chain("acme", EMPTY_CHAIN, fact, 7);
    expect(first).toMatchObject({ seq: 1, at: 7, prevHash: GENESIS, action: "LEASE_GRANTED", actor: "key_1", user: "u", model: "m", requestId: "r" });
    const second = chain("acme", first, fact, 8);
    expect(second).toMatchObject({ seq: 2, prevHash: first.hash });
    expect(second.hash).not.toBe(first.hash);
  });

  test("is the documented hash, so that others can check it", () => {
    const { hash, ...open } = chain("acme", { seq: 4, hash: "ab", at: 7 }, fact, 7);
    const canonical =
      '{"action":"LEASE_GRANTED","actor":"key_1","at":7,"details":{"hold":5,"nested":{"a":[true,null],"b":1}},"model":"m","prevHash":"ab","requestId":"r","seq":5,"tenant":"acme","user":"u"}';
    expect(hash).toBe(createHash("sha256").update(`ab\n${canonical}`).digest("hex"));
    expect(hashOf("acme", open)).toBe(hash);
  });

  test("never goes back in time, whatever the clock does", () => {
    const later = chain("acme", EMPTY_CHAIN, fact, 100);
    expect(chain("acme", later, fact, 40).at).toBe(100);
    expect(chain("acme", later, fact, 101).at).toBe(101);
  });

  test("what is left out stands as null; what is undefined in the details is not there", () => {
    const entry = chain("acme", EMPTY_CHAIN, { action: "KEY_CREATED", actor: "operator", details: { gone: undefined, kept: 1 } }, 1);
    expect(entry).toMatchObject({ user: null, model: null, requestId: null, details: { kept: 1 } });
    expect(entry.details).not.toHaveProperty("gone");
  });

  test.each([
    ["tenant", (hash: string) => hashOf("globex", { ...open, prevHash: GENESIS }) !== hash],
    ["seq", (hash: string) => hashOf("acme", { ...open, seq: 2 }) !== hash],
    ["at", (hash: string) => hashOf("acme", { ...open, at: 8 }) !== hash],
    ["actor", (hash: string) => hashOf("acme", { ...open, actor: "x" }) !== hash],
    ["user", (hash: string) => hashOf("acme", { ...open, user: null }) !== hash],
    ["model", (hash: string) => hashOf("acme", { ...open, model: "n" }) !== hash],
    ["request", (hash: string) => hashOf("acme", { ...open, requestId: "s" }) !== hash],
    ["details", (hash: string) => hashOf("acme", { ...open, details: { hold: 6 } }) !== hash],
    ["predecessor", (hash: string) => hashOf("acme", { ...open, prevHash: "1".repeat(64) }) !== hash],
  ])("another %s is another hash", (_, differs) => {
    expect(differs(entry.hash)).toBe(true);
  });
});

const entry = chain("acme", EMPTY_CHAIN, fact, 7);
const { hash: _, ...open } = entry;
