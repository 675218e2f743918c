/** The lease's signature: what does not hold is refused, however it is dressed; a rotation of keys refuses no valid lease. */
import { createHmac, createPrivateKey, sign } from "node:crypto";
import * as fc from "fast-check";
import { SignJWT, base64url, importJWK } from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { verifyLease, publicJwks, signLease } from "../../../worker/leases/token.ts";
import { type SigningJwk, claims, forge, grant, newSigningKey, settingsWith } from "../../support/lease-token.ts";

let key: SigningJwk;
let token: string;
const verify = (text: string, ...keys: SigningJwk[]) => verifyLease(text, settingsWith(...((keys.length > 0 ? keys : [key]) as [SigningJwk])));

beforeAll(async () => {
  key = await newSigningKey("k1");
  token = await signLease(grant(), settingsWith(key));
});

/** What a token says, with a signature of our choice over it. */
const assemble = (header: object, payload: object, signature: (input: string) => string) => {
  const input = `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(payload))}`;
  return `${input}.${signature(input)}`;
};
const rightHeader = () => ({ alg: "EdDSA", typ: "lease+jwt", kid: "k1" });
const edSign = (jwk: SigningJwk) => (input: string) => sign(null, Buffer.from(input), createPrivateKey({ key: { ...jwk }, format: "jwk" })).toString("base64url");

/** The grant that says so, whatever the clock says by now. */
const granting = ({ iat = 0, exp = 0 }: ReturnType<typeof claims>) => grant({ issuedAt: iat * 1000, expiresAt: exp * 1000, reportsUntil: exp * 1000 });

test("a lease that we signed holds, with all its claims", async () => {
  const said = claims();
  expect(await verify(await signLease(granting(said), settingsWith(key)))).toEqual(said);
  expect(await verify(await forge(key, said))).toEqual(said);
  expect(await verify(assemble(rightHeader(), said, edSign(key)))).toEqual(said);
});

describe("claims", () => {
  test.each(Object.keys(claims()))("without %s: invalid", async (name) => {
    expect(await verify(await forge(key, claims({ [name]: undefined })))).toBe("invalid");
  });

  const now = () => Math.floor(Date.now() / 1000);
  const wrong: [string, () => Record<string, unknown>][] = [
    ["another issuer", () => ({ iss: "https://evil.example" })],
    ["another audience", () => ({ aud: "other" })],
    ["our audience among others", () => ({ aud: ["leasehold", "other"] })],
    ["a tenant that is not the lease id's", () => ({ tenant: "globex" })],
    ["a lease id that is none", () => ({ sub: "acme" })],
    ["a tenant that is none", () => ({ tenant: "../acme" })],
    ["exp as text", () => ({ exp: String(now() + 100) })],
    ["exp that is no whole number", () => ({ exp: now() + 100.5 })],
    ["exp null", () => ({ exp: null })],
    ["not valid before tomorrow", () => ({ nbf: now() + 86_400 })],
    ["a negative hold", () => ({ hold: -1 })],
    ["a hold above safe integers", () => ({ hold: 2 ** 53 })],
    ["an unknown purpose", () => ({ purpose: "admin" })],
    ["a digest that is none", () => ({ mdg: "x" })],
    ["iat as text", () => ({ iat: "now" })],
  ];
  test.each(wrong)("%s: invalid", async (_, more) => {
    expect(await verify(await forge(key, claims(more() as never)))).toBe("invalid");
  });

  test("past its time: expired, to the second; and only where the signature holds", async () => {
    const old = claims({ iat: now() - 400, exp: now() - 1 });
    expect(await verify(await forge(key, old))).toBe("expired");
    expect(await verify(await forge(await newSigningKey("k1"), old))).toBe("invalid");
    expect(await verify(await forge(key, claims({ exp: now() })))).toBe("expired");
  });

  test("a claim twice in the text counts as its last, as it was signed: nothing is gained by it", async () => {
    const payload = JSON.stringify(claims()).replace('"tenant":"acme"', '"tenant":"acme","tenant":"globex"');
    const input = `${base64url.encode(JSON.stringify(rightHeader()))}.${base64url.encode(payload)}`;
    expect(await verify(`${input}.${edSign(key)(input)}`)).toBe("invalid");
  });
});

describe("past its end", () => {
  const START = 1_800_000_000_000;
  const ENDS = { issuedAt: START, expiresAt: START + 60_000 };
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: START }));
  afterEach(() => void vi.useRealTimers());
  const at = async (text: string, ms: number) => {
    vi.setSystemTime(START + ms);
    return verify(text);
  };

  test("an offline lease may still be reported, until its reports end, to the second", async () => {
    const text = await signLease(grant({ ...ENDS, reportsUntil: START + 90_000 }), settingsWith(key));
    const held = claims({ iat: START / 1000, exp: START / 1000 + 60, rpt: START / 1000 + 90 });
    expect(await at(text, 59_999)).toEqual(held);
    expect(await at(text, 60_000)).toEqual({ late: held });
    expect(await at(text, 89_999)).toEqual({ late: held });
    expect(await at(text, 90_000)).toBe("expired");
  });

  test("any other lease has expired", async () => {
    const text = await signLease(grant({ ...ENDS, reportsUntil: ENDS.expiresAt }), settingsWith(key));
    expect(await at(text, 59_999)).toEqual(claims({ iat: START / 1000, exp: START / 1000 + 60 }));
    expect(await at(text, 60_000)).toBe("expired");
  });

  test("what was no lease while it held is none that is late", async () => {
    const ended = claims({ iat: START / 1000 - 100, exp: START / 1000 - 50, rpt: START / 1000 + 50 });
    expect(await verify(await forge(key, ended))).toEqual({ late: ended });
    for (const more of [{ tenant: "globex" }, { model: undefined }, { rpt: "tomorrow" }]) expect(await verify(await forge(key, { ...ended, ...more } as never)), JSON.stringify(more)).toBe("expired");
  });
});

test("a lease that is bound to a key names its thumbprint, and any other names none", async () => {
  const jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
  const said = claims();
  expect(await verify(await signLease(granting(said), settingsWith(key), jkt))).toEqual({ ...said, cnf: { jkt } });
  expect(Object.keys((await verify(token)) as object)).not.toContain("cnf");
});

describe("algorithm confusion", () => {
  const hmac = (alg: string, secret: string | Buffer) => (input: string) => createHmac(alg, secret).update(input).digest("base64url");
  const raw = () => Buffer.from(key.x, "base64url");
  const cases: [string, () => string][] = [
    ["none, without a signature", () => assemble({ ...rightHeader(), alg: "none" }, claims(), () => "")],
    ["none, with the right signature", () => assemble({ ...rightHeader(), alg: "none" }, claims(), edSign(key))],
    ["None", () => assemble({ ...rightHeader(), alg: "None" }, claims(), () => "")],
    ["HS256 under the public key's bytes", () => assemble({ ...rightHeader(), alg: "HS256" }, claims(), hmac("sha256", raw()))],
    ["HS256 under the public key's text", () => assemble({ ...rightHeader(), alg: "HS256" }, claims(), hmac("sha256", key.x))],
    ["HS256 under the JWK", () => assemble({ ...rightHeader(), alg: "HS256" }, claims(), hmac("sha256", JSON.stringify(key)))],
    ["HS512 of the length of ours", () => assemble({ ...rightHeader(), alg: "HS512" }, claims(), hmac("sha512", raw()))],
    ["HS512 called EdDSA", () => assemble(rightHeader(), claims(), hmac("sha512", raw()))],
    ["ES256, signed by us as EdDSA", () => assemble({ ...rightHeader(), alg: "ES256" }, claims(), edSign(key))],
    ["RS256, signed by us as EdDSA", () => assemble({ ...rightHeader(), alg: "RS256" }, claims(), edSign(key))],
    ["Ed25519, the algorithm's other name", () => assemble({ ...rightHeader(), alg: "Ed25519" }, claims(), edSign(key))],
    ["eddsa", () => assemble({ ...rightHeader(), alg: "eddsa" }, claims(), edSign(key))],
    ["no algorithm", () => assemble({ typ: "lease+jwt", kid: "k1" }, claims(), edSign(key))],
    ["a list of algorithms", () => assemble({ ...rightHeader(), alg: ["EdDSA"] }, claims(), edSign(key))],
  ];
  test.each(cases)("%s: invalid", async (_, make) => {
    expect(await verify(make())).toBe("invalid");
  });
});

describe("headers that a token brings along", () => {
  test("the attacker's own key, in every way that JOSE has to name one: invalid", async () => {
    const mine = await newSigningKey("k1");
    const { d: _, ...jwk } = mine;
    for (const header of [{ jwk }, { jku: "https://evil.example/jwks.json" }, { x5u: "https://evil.example/c.pem" }, { x5c: ["MIIB"] }, { x5t: "AA" }, { kid: "k1", jwk }]) {
      expect(await verify(assemble({ ...rightHeader(), ...header }, claims(), edSign(mine))), JSON.stringify(header)).toBe("invalid");
      // Signed by the right key it is refused all the same: we never sign such a header.
      expect(await verify(assemble({ ...rightHeader(), ...header }, claims(), edSign(key))), JSON.stringify(header)).toBe("invalid");
    }
  });

  const kids: unknown[] = ["k2", "", "K1", "k1 ", " k1", "k1\0", "../k1", "k1' OR '1'='1", ["k1"], { toString: "k1" }, 0, null, true, "__proto__", "constructor", undefined];
  test.each(kids.map((kid) => [JSON.stringify(kid), kid]))("kid %s: invalid", async (_, kid) => {
    expect(await verify(assemble({ alg: "EdDSA", typ: "lease+jwt", kid }, claims(), edSign(key)))).toBe("invalid");
  });

  const types: unknown[] = ["JWT", "at+jwt", "erasure+jwt", "dpop+jwt", "LEASE+JWT", "application/lease+jwt", "lease+jwt ", ["lease+jwt"], 1, null, undefined];
  test.each(types.map((typ) => [JSON.stringify(typ), typ]))("typ %s: invalid", async (_, typ) => {
    expect(await verify(assemble({ alg: "EdDSA", typ, kid: "k1" }, claims(), edSign(key)))).toBe("invalid");
  });

  test.each([{ crit: ["exp"] }, { crit: [] }, { crit: ["leasehold"], leasehold: 1 }, { b64: false, crit: ["b64"] }, { b64: true, crit: ["b64"] }, { zip: "DEF" }, { cty: "JWT" }, { enc: "A256GCM" }, { anything: 1 }])("%j: invalid", async (header) => {
    expect(await verify(assemble({ ...rightHeader(), ...header }, claims(), edSign(key)))).toBe("invalid");
  });

  test.each([null, 1, "x", [], [rightHeader()]])("a header that is no object (%j): invalid", async (header) => {
    expect(await verify(assemble(header as object, claims(), edSign(key)))).toBe("invalid");
  });
});

describe("other spellings", () => {
  test("the 15 other spellings of the signature decode to the same bytes, and none is accepted", async () => {
    const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const bytes = Buffer.from(token.split(".")[2] as string, "base64url");
    const others = [...ALPHABET].map((last) => token.slice(0, -1) + last).filter((other) => other !== token && Buffer.from(other.split(".")[2] as string, "base64url").equals(bytes));
    expect(others).toHaveLength(15);
    for (const other of others) expect(await verify(other), other.slice(-3)).toBe("invalid");
  });

  test("S + L, the signature's other number: invalid", async () => {
    const L = 2n ** 252n + 27742317777372353535851937790883648493n;
    const [input, signature] = [token.slice(0, token.lastIndexOf(".")), Buffer.from(token.slice(token.lastIndexOf(".") + 1), "base64url")];
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString("hex")}`);
    for (const times of [1n, 2n, 7n]) {
      const moved = s + times * L;
      if (moved >= 2n ** 256n) continue;
      const spelled = Buffer.concat([signature.subarray(0, 32), Buffer.from(moved.toString(16).padStart(64, "0"), "hex").reverse()]);
      expect(await verify(`${input}.${spelled.toString("base64url")}`)).toBe("invalid");
    }
  });

  test("a character put in, taken out or changed anywhere: invalid", async () => {
    const strange = [" ", "\n", "\t", "=", "+", "/", ".", "%", "\0", "\u00e9", "\u200b", "A"];
    for (let at = 0; at <= token.length; at++) {
      const put = strange[at % strange.length] as string;
      expect(await verify(token.slice(0, at) + put + token.slice(at)), `put ${JSON.stringify(put)} at ${at}`).toBe("invalid");
      if (at === token.length) continue;
      expect(await verify(token.slice(0, at) + token.slice(at + 1)), `taken at ${at}`).toBe("invalid");
      const other = token[at] === "A" ? "B" : "A";
      expect(await verify(token.slice(0, at) + other + token.slice(at + 1)), `changed at ${at}`).toBe("invalid");
    }
  });

  test("any text whatever: invalid, and never a throw", async () => {
    const part = fc.oneof(fc.base64String(), fc.string(), fc.json(), fc.constantFrom(...token.split(".")));
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 5 }).filter((parts) => parts.join(".") !== token), async (parts) => {
        expect(await verify(parts.join("."))).toBe("invalid");
      }),
      { numRuns: 1_000 },
    );
  });

  test("padding, a detached payload, JSON serialization, an encrypted token: invalid", async () => {
    const [header, payload, signature] = token.split(".") as [string, string, string];
    const forms = [
      `${header}.${payload}.${signature}==`, `${header}..${signature}`, `${header}.${payload}.`, `.${payload}.${signature}`, `${header}.${payload}`, header,
      JSON.stringify({ protected: header, payload, signature }), JSON.stringify({ payload, signatures: [{ protected: header, signature }] }), `${header}.${payload}.${signature}.${payload}.${signature}`,
    ];
    for (const form of forms) expect(await verify(form), form.slice(0, 40)).toBe("invalid");
  });
});

describe("rotation of the signing keys", () => {
  const LEASES = 200;
  const many = (...keys: SigningJwk[]) => Promise.all(Array.from({ length: LEASES }, () => signLease(grant(), settingsWith(...(keys as [SigningJwk])))));
  const accepted = async (tokens: readonly string[], ...keys: SigningJwk[]) => (await Promise.all(tokens.map((text) => verify(text, ...keys)))).filter((result) => typeof result === "object").length;

  test("0 valid leases are refused during the overlap; 0 are accepted after the removal", async () => {
    const [old, next] = [await newSigningKey("2026-10"), await newSigningKey("2026-11")];
    const before = await many(old);
    // 1. The next key is published and does not sign yet.
    const published = await many(old, next);
    // 2. It signs; the old one still verifies, without its private half.
    const { d: _, ...retired } = old;
    const during = await many(next, retired as SigningJwk);
    for (const [name, keys] of [["published", [old, next]], ["signing", [next, retired as SigningJwk]]] as const) {
      expect(await accepted([...before, ...published], ...keys), name).toBe(2 * LEASES);
      expect(await accepted(during, ...keys), name).toBe(LEASES);
    }
    // 3. The old one is removed.
    expect(await accepted([...before, ...published], next)).toBe(0);
    expect(await accepted(during, next)).toBe(LEASES);
  });

  test("a new key under an old kid accepts nothing of the old one", async () => {
    const again = await newSigningKey("k1");
    expect(await accepted(await many(key), again)).toBe(0);
  });

  test("the published keys hold no private half, whatever the configuration holds", async () => {
    const [a, b] = [await newSigningKey("a"), await newSigningKey("b")];
    const published = publicJwks(settingsWith(a, b));
    expect(published.keys.map(({ kid }) => kid)).toEqual(["a", "b"]);
    for (const jwk of published.keys) expect(Object.keys(jwk).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x"]);
    const { d: _, ...open } = a;
    const verified = await new SignJWT(claims()).setProtectedHeader(rightHeader()).sign(await importJWK(b, "EdDSA"));
    expect(await verify(verified, { ...open, kid: "k1" } as SigningJwk)).toBe("invalid");
  });
});
