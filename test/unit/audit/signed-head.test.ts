/** Signed heads: what verifies, and every way in which a text might only look like one. */
import { CompactSign, decodeProtectedHeader, importJWK } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { makeSecrets, workerSecrets } from "../../../cli/secrets.ts";
import { type Env, settingsOf } from "../../../worker/env.ts";
import { type HeadKey, signHead, signingKey, verifyHead } from "../../../worker/audit/signed-head.ts";

const TENANT = "acme";
const freshSettings = () => settingsOf({ ...workerSecrets(makeSecrets()), LEASE_ISSUER: "https://leasehold.test" } as Env);
const settings = freshSettings();
const [jwk] = settings.signingKeys;
const key = signingKey(settings);
const head = { seq: 7, hash: "a".repeat(64), at: 1_000 };
const claims = { iss: "https://leasehold.test", tenant: TENANT, seq: 7, hash: head.hash, at: "1970-01-01T00:00:01Z", signed_at: "1970-01-01T00:00:02Z", prev: null };
const RIGHT = { alg: "EdDSA", typ: "audit-head+jws", kid: key.kid };

const text = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const parts = (jws: string) => jws.split(".") as [string, string, string];
/** Signed by the right key, whatever it says. */
async function signed(payload: unknown, header: Record<string, unknown> = {}): Promise<string> {
  const bytes = new TextEncoder().encode(typeof payload === "string" ? payload : JSON.stringify(payload));
  const all = Object.fromEntries(Object.entries({ ...RIGHT, ...header }).filter(([, value]) => value !== undefined));
  return new CompactSign(bytes).setProtectedHeader(all as { alg: string }).sign(await importJWK(jwk, "EdDSA"), { crit: { leasehold: true } });
}

let jws: string;
beforeAll(async () => {
  jws = await signHead(TENANT, head, null, 2_000, settings);
});

test("holds for its tenant and for the key that signed it, and for no other", async () => {
  expect(decodeProtectedHeader(jws)).toEqual(RIGHT);
  expect(await verifyHead(jws, TENANT, [key])).toEqual(claims);
  expect(await verifyHead(jws, "globex", [key])).toBeNull();
  expect(await verifyHead(jws, TENANT, [])).toBeNull();
  expect(await verifyHead(jws, TENANT, [{ kid: key.kid, x: signingKey(freshSettings()).x }])).toBeNull();
});

test("names the head before it", async () => {
  const prev = { seq: 3, sha256: "b".repeat(64) };
  expect(await verifyHead(await signHead(TENANT, head, prev, 2_000, settings), TENANT, [key])).toEqual({ ...claims, prev });
});

test("is held against the key that it names, among all that ever signed; a key shows no private half", async () => {
  const other: HeadKey = signingKey(freshSettings());
  expect(Object.keys(other).sort()).toEqual(["kid", "x"]);
  expect([key.kid, key.x]).toEqual([jwk.kid, jwk.x]);
  expect(await verifyHead(jws, TENANT, [other, key])).toEqual(claims);
  expect(await verifyHead(jws, TENANT, [other])).toBeNull();
});

describe("is none, though the right key signed it,", () => {
  test.each<[string, Record<string, unknown>]>([
    ["the type of a lease", { typ: "lease+jwt" }],
    ["no type", { typ: undefined }],
    ["a header of its own", { jwk: { kty: "OKP" } }],
    ["an address of keys", { jku: "https://evil.example" }],
    ["something critical", { crit: ["leasehold"], leasehold: 1 }],
    ["no key's name", { kid: undefined }],
    ["another key's name", { kid: "other" }],
    ["the algorithm's other name", { alg: "Ed25519" }],
  ])("with %s", async (_, header) => {
    expect(await verifyHead(await signed(claims), TENANT, [key])).toEqual(claims);
    expect(await verifyHead(await signed(claims, header), TENANT, [key])).toBeNull();
  });

  test.each<[string, unknown]>([
    ["no claims", {}],
    ["no event", { ...claims, seq: 0 }],
    ["half an event", { ...claims, seq: 7.5 }],
    ["no hash", { ...claims, hash: "" }],
    ["a hash in other letters", { ...claims, hash: "A".repeat(64) }],
    ["a head before it that is none", { ...claims, prev: { seq: 0, sha256: "b".repeat(64) } }],
    ["a head before it without its text's hash", { ...claims, prev: { seq: 3 } }],
    ["a head before it with something besides", { ...claims, prev: { seq: 3, sha256: "b".repeat(64), x: 1 } }],
    ["a claim besides", { ...claims, exp: 1 }],
    ["an instant that is none", { ...claims, at: "yesterday" }],
    ["a list", [claims]],
    ["text that is no JSON", "head"],
  ])("with %s", async (_, payload) => {
    expect(await verifyHead(await signed(payload), TENANT, [key])).toBeNull();
  });
});

test.each<[string, () => string]>([
  ["another payload", () => `${parts(jws)[0]}.${text({ ...claims, seq: 8 })}.${parts(jws)[2]}`],
  ["no signature", () => `${parts(jws)[0]}.${parts(jws)[1]}.`],
  ["alg none", () => `${text({ ...RIGHT, alg: "none" })}.${parts(jws)[1]}.`],
  ["another header", () => `${text({ ...RIGHT, jwk: {} })}.${parts(jws)[1]}.${parts(jws)[2]}`],
  ["no JWS at all", () => "head"],
  ["nothing", () => ""],
])("with %s it is none", async (_, forge) => {
  expect(await verifyHead(forge(), TENANT, [key])).toBeNull();
});
