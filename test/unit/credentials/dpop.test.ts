/** DPoP proofs: one that holds for this very request, and every way in which it might not (RFC 9449 §4.3). */
import { type JWTHeaderParameters, type JWTPayload, SignJWT, base64url, calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { proofClaims, thumbprint } from "../../../schema/contract/dpop.ts";
import { type ProofKey, makeProof, makeProofKey } from "../../../schema/contract/dpop-proof.ts";
import { ProofLog } from "../../../worker/ledger/proof-log.ts";
import { verifyProof } from "../../../worker/leases/dpop.ts";

const NOW = 1_800_000_000_000;
const LEASE = "header.payload.signature";
const BLOB_URL = "https://leasehold.test/v1/blobs/abc";
let key: ProofKey;
let secret: CryptoKey;
let jwk: Record<string, unknown>;

beforeAll(async () => {
  key = await makeProofKey();
  const pair = await generateKeyPair("ES256", { extractable: true });
  secret = pair.privateKey;
  jwk = (await exportJWK(pair.publicKey)) as Record<string, unknown>;
});

const request = (jkt: string, more: object = {}) => ({ method: "GET", url: BLOB_URL, lease: LEASE, jkt, ...more });
const ownJkt = () => calculateJwkThumbprint(jwk as never);
const ath = async (lease: string) => base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lease))));

async function handmade(claims: JWTPayload = {}, header: Record<string, unknown> = {}, signer: CryptoKey = secret): Promise<string> {
  const all = { typ: "dpop+jwt", alg: "ES256", jwk, ...header };
  const payload = { jti: "0123456789abcdef", htm: "GET", htu: BLOB_URL, iat: NOW / 1000, ath: await ath(LEASE), ...claims };
  const shown = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
  return new SignJWT(shown).setProtectedHeader(all as unknown as JWTHeaderParameters).sign(signer, { crit: { x: true } });
}
const check = async (text: string | undefined, more: object = {}, now = NOW) => verifyProof(text, request(await ownJkt(), more), now);

describe("what a client makes with the contract's own code", () => {
  test("holds for its request, and carries its nonce", async () => {
    const proof = await makeProof(key, { method: "GET", url: `${BLOB_URL}?x=1#y`, lease: LEASE, nonce: "n-1", nowMs: NOW });
    expect(await verifyProof(proof, request(key.jkt), NOW)).toMatchObject({ nonce: "n-1" });
    expect(await verifyProof(proof, request(key.jkt, { url: `${BLOB_URL}?other=2` }), NOW)).not.toBeNull();
    expect(await verifyProof(await makeProof(key, { method: "POST", url: BLOB_URL, lease: LEASE, nonce: null, nowMs: NOW }), request(key.jkt, { method: "POST" }), NOW)).toMatchObject({ nonce: null });
  });

  test("no two proofs are alike; the private key can't be exported; the thumbprint is RFC 7638's", async () => {
    const of = { method: "GET", url: BLOB_URL, lease: LEASE, nonce: null, nowMs: NOW };
    expect(await makeProof(key, of)).not.toBe(await makeProof(key, of));
    await expect(crypto.subtle.exportKey("jwk", key.privateKey)).rejects.toThrow();
    expect(key.jkt).toBe(await calculateJwkThumbprint(key.jwk));
    expect(thumbprint.safeParse(key.jkt).success).toBe(true);
  });
});

test("a thumbprint is 32 bytes in base64url, spelled in one way", () => {
  const accepts = (text: string) => thumbprint.safeParse(text).success;
  expect(accepts(key.jkt)).toBe(true);
  const others = [...`ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_`].filter((last) => accepts(key.jkt.slice(0, -1) + last));
  expect(others.join("")).toBe("AEIMQUYcgkosw048");
  for (const text of [`x${key.jkt}`, `${key.jkt}A`, key.jkt.slice(1), ` ${key.jkt}`, `${key.jkt.slice(0, 20)}+${key.jkt.slice(21)}`, `${key.jkt}=`]) expect(accepts(text), text).toBe(false);
});

test("a key may say of itself what it is for", async () => {
  expect(await check(await handmade({}, { jwk: { ...jwk, alg: "ES256", use: "sig", key_ops: ["verify"], ext: true, kid: "mine" } }))).not.toBeNull();
});

test("a proof of another maker holds as well, with ES256 and with EdDSA", async () => {
  expect(await check(await handmade())).toMatchObject({ jti: "0123456789abcdef", nonce: null });
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { extractable: true });
  const ed = await exportJWK(publicKey);
  const text = await handmade({}, { alg: "EdDSA", jwk: ed }, privateKey);
  expect(await verifyProof(text, request(await calculateJwkThumbprint(ed)), NOW)).not.toBeNull();
});

describe("refused", () => {
  test("for another method, path, host, scheme or port; for another lease", async () => {
    const text = await handmade();
    for (const more of [{ method: "HEAD" }, { method: "get" }, { url: "https://leasehold.test/v1/blobs/abd" }, { url: "https://leasehold.test/v1/blobs/abc/" }, { url: "https://evil.test/v1/blobs/abc" }, { url: "http://leasehold.test/v1/blobs/abc" }, { url: "https://leasehold.test:8443/v1/blobs/abc" }, { lease: "header.payload.other" }]) {
      expect(await check(text, more), JSON.stringify(more)).toBeNull();
    }
  });

  test("outside of its time", async () => {
    const text = await handmade();
    for (const off of [-300, -10, 0, 10, 300]) expect(await check(text, {}, NOW + off * 1000), String(off)).not.toBeNull();
    for (const off of [-86_400, -301, 301, 86_400]) expect(await check(text, {}, NOW + off * 1000), String(off)).toBeNull();
  });

  test("by another key than the lease is bound to, though it is signed well", async () => {
    expect(await verifyProof(await handmade(), request(key.jkt), NOW)).toBeNull();
    const other = await generateKeyPair("ES256");
    expect(await check(await handmade({}, {}, other.privateKey))).toBeNull();
  });

  const claims: [string, JWTPayload][] = [
    ["no jti", { jti: undefined }], ["a short jti", { jti: "short" }], ["a jti that is a number", { jti: 7 as never }], ["a long jti", { jti: "x".repeat(129) }],
    ["no htm", { htm: undefined }], ["no htu", { htu: undefined }], ["an htu that is none", { htu: "/v1/blobs/abc" }], ["no iat", { iat: undefined }], ["an iat as text", { iat: String(NOW / 1000) as never }],
    ["no ath", { ath: undefined }], ["an empty ath", { ath: "" }], ["the lease itself as ath", { ath: LEASE }], ["a nonce that is a list", { nonce: ["n"] }],
  ];
  test.each(claims)("%s", async (_, more) => {
    expect(await check(await handmade(more))).toBeNull();
  });

  const headers: [string, () => Record<string, unknown>][] = [
    ["another typ", () => ({ typ: "JWT" })], ["no typ", () => ({ typ: undefined })], ["no key", () => ({ jwk: undefined })], ["a key that is text", () => ({ jwk: "x" })],
    ["a list of keys", () => ({ jwk: [jwk] })], ["a key with its private half", () => ({ jwk: { ...jwk, d: "AA" } })], ["a symmetric key", () => ({ jwk: { kty: "oct", k: "AAAA" } })],
    ["a key of another curve", () => ({ jwk: { ...jwk, crv: "P-384" } })], ["a point that is not on the curve", () => ({ jwk: { ...jwk, y: jwk.x } })], ["a key that names others", () => ({ jwk: { ...jwk, x5u: "https://evil.example" } })],
    ["a kid beside it", () => ({ kid: "x" })], ["crit", () => ({ crit: ["x"], x: 1 })], ["b64", () => ({ b64: true })], ["jku", () => ({ jku: "https://evil.example" })],
  ];
  test.each(headers)("%s", async (_, more) => {
    expect(await check(await handmade({}, more()))).toBeNull();
  });

  test("a key that is no public one of its algorithm's kind, though the lease is bound to that very key", async () => {
    const own = (await exportJWK(secret)) as Record<string, unknown>;
    const p384 = await generateKeyPair("ES384", { extractable: true });
    const ed = (await exportJWK((await generateKeyPair("EdDSA", { extractable: true })).publicKey)) as Record<string, unknown>;
    const rsa = (await exportJWK((await generateKeyPair("RS256", { extractable: true })).publicKey)) as Record<string, unknown>;
    for (const brought of [own, { ...jwk, x5u: "https://evil.example" }, { ...jwk, oth: [] }, await exportJWK(p384.publicKey), ed, rsa, { kty: "oct", k: "AAAA" }]) {
      const text = await handmade({}, { jwk: brought });
      expect(await verifyProof(text, request(await calculateJwkThumbprint(brought as never)), NOW), JSON.stringify(brought)).toBeNull();
    }
  });

  test("what is longer than any proof needs to be", async () => {
    const padded = async (letters: number) => handmade({}, { jwk: { ...jwk, kid: "k".repeat(letters) } });
    const short = await padded(1);
    const fitting = Math.floor(((4096 - short.length) * 3) / 4);
    const longest = (await Promise.all([0, 1, 2, 3].map((more) => padded(fitting + more)))).find((text) => text.length === 4096);
    expect(await check(longest)).not.toBeNull();
    expect(await check(await padded(fitting + 4))).toBeNull();
  });

  test("none, HS256 under the public key, and an algorithm other than the key's", async () => {
    const [, payload] = (await handmade()).split(".") as [string, string];
    for (const alg of ["none", "HS256", "EdDSA", "RS256", "ES384"]) {
      const head = base64url.encode(JSON.stringify({ typ: "dpop+jwt", alg, jwk }));
      for (const signature of ["", "AAAA", "A".repeat(86)]) expect(await check(`${head}.${payload}.${signature}`), `${alg} ${signature.length}`).toBeNull();
    }
  });

  test("what is no proof at all", async () => {
    const text = await handmade();
    for (const other of [undefined, "", "x", "a.b", "a.b.c", `${text}.x`, `${text}, ${text}`, `${text}=`, `${text} `, `${text.slice(0, -4)} ${text.slice(-4)}`, ` ${text}`, text.slice(0, -4), "x".repeat(5000), JSON.stringify({ text })]) expect(await check(other)).toBeNull();
  });
});

describe("each proof once", () => {
  const proof = (jti: string, nonce: string | null, request = jti) => ({ jti, nonce, request });
  const log = () => {
    let n = 0;
    return new ProofLog(() => `n${n++}`);
  };
  const MINUTE = 60_000;
  const LEASE_ID = "ls_acme_1";

  test("taken once; the object may ask again for the same request", () => {
    const proofs = log();
    const nonce = proofs.nonce(NOW);
    expect(proofs.take(LEASE_ID, proof("a", nonce, "r1"), NOW)).toBe("taken");
    expect(proofs.take(LEASE_ID, proof("a", nonce, "r1"), NOW)).toBe("taken");
    expect(proofs.take(LEASE_ID, proof("a", nonce, "r2"), NOW)).toBe("replayed");
    expect(proofs.take(LEASE_ID, proof("b", nonce, "r2"), NOW)).toBe("taken");
  });

  test("a nonce is taken for 10 minutes, and a proof under it is a replay as long", () => {
    const proofs = log();
    const first = proofs.nonce(NOW);
    expect(proofs.nonce(NOW + 5 * MINUTE - 1)).toBe(first);
    const second = proofs.nonce(NOW + 5 * MINUTE);
    expect(second).not.toBe(first);
    expect(proofs.take(LEASE_ID, proof("a", first, "r1"), NOW + 6 * MINUTE)).toBe("taken");
    expect(proofs.take(LEASE_ID, proof("a", first, "r2"), NOW + 10 * MINUTE - 1)).toBe("replayed");
    expect(proofs.take(LEASE_ID, proof("a", first, "r3"), NOW + 10 * MINUTE)).toBe("stale");
    expect(proofs.take(LEASE_ID, proof("c", second), NOW + 10 * MINUTE)).toBe("taken");
  });

  test("a flood of proofs ends nonces, and fills no memory: what is remembered is bounded, and nothing is taken twice", () => {
    let n = 0;
    const proofs = new ProofLog(() => `n${n++}`, 3);
    const first = proofs.nonce(NOW);
    for (const jti of ["a", "b", "c"]) expect(proofs.take(LEASE_ID, proof(jti, first), NOW)).toBe("taken");
    const second = proofs.nonce(NOW);
    expect(second).not.toBe(first);
    // Under the one that is full nothing more is taken, though its time is not over; the object may still ask again.
    expect(proofs.take(LEASE_ID, proof("d", first), NOW)).toBe("stale");
    expect(proofs.take(LEASE_ID, proof("a", first, "a"), NOW)).toBe("taken");
    expect(proofs.take(LEASE_ID, proof("a", first, "other"), NOW)).toBe("replayed");
    for (const jti of ["a", "b", "c"]) expect(proofs.take(LEASE_ID, proof(jti, second), NOW)).toBe("taken");
    const third = proofs.nonce(NOW);
    expect(proofs.take(LEASE_ID, proof("a", first, "other"), NOW)).toBe("stale");
    expect(proofs.take(LEASE_ID, proof("a", second, "other"), NOW)).toBe("replayed");
    expect(proofs.take(LEASE_ID, proof("a", third), NOW)).toBe("taken");
  });

  test("a nonce is 128 bits that nobody can guess", () => {
    const nonces = new Set(Array.from({ length: 100 }, () => new ProofLog().nonce(NOW)));
    expect(nonces.size).toBe(100);
    for (const nonce of nonces) expect(nonce).toMatch(/^[0-9a-f]{32}$/);
  });

  test("a nonce of an earlier life of the object, none, or a made-up one: stale", () => {
    const before = log().nonce(NOW);
    const proofs = new ProofLog();
    for (const nonce of [before, null, "", "made-up"]) expect(proofs.take(LEASE_ID, proof("a", nonce), NOW)).toBe("stale");
  });
});

test("the contract's claims are what the client sends", async () => {
  const proof = await makeProof(key, { method: "GET", url: BLOB_URL, lease: LEASE, nonce: "n" });
  const payload: unknown = JSON.parse(new TextDecoder().decode(base64url.decode(proof.split(".")[1] as string)));
  expect(proofClaims.parse(payload)).toEqual(payload);
});
