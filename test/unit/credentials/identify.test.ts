import { describe, expect, test } from "vitest";
import type { KeyId, LeaseId, TenantId } from "../../../schema/contract/ids.ts";
import type { KeyScope } from "../../../schema/contract/tenants.ts";
import { ENDED_SESSION, UNKNOWN_KEY, identify, isUsable } from "../../../worker/ledger/identify.ts";
import type { StoredKey } from "../../../worker/ledger/key-ring.ts";
import type { Access, Presented } from "../../../worker/tenants/credential.ts";

const TENANT = "acme" as TenantId;
const AT = { tenant: TENANT, isolation: "pooled" } as const;
const NOW = 1_800_000_000_000;
const EVERYTHING: readonly Access[] = ["operator", "lease", "publishable", "leases", "admin", "read"];
const SITE = "https://shop.example";

const stored = (more: Partial<StoredKey> = {}): StoredKey => ({
  id: "key_1" as KeyId, type: "secret", name: "k", hint: "", scopes: ["leases"], origins: [], limits: { daily_token_limit: null },
  createdAt: 0, expiresAt: null, revokedAt: null, ...more,
} as StoredKey);

const ring = (...keys: (StoredKey & { hash?: string })[]) => ({ byHash: (hash: string) => keys.find((key) => (key.hash ?? "h") === hash) ?? null, byId: (id: string) => keys.find((key) => key.id === id) ?? null });
const presented = (more: Partial<Extract<Presented, { kind: "key" }>> = {}): Presented => ({ kind: "key", type: "secret", tenant: TENANT, hash: "h", origin: null, fromEmbed: false, ...more });
const ENDED = { has: (id: string) => id === "ses_ended" };
const codeOf = (who: Presented, access: readonly Access[], ...keys: StoredKey[]) => {
  const result = identify(who, access, AT, ring(...keys), ENDED, NOW);
  return result.ok ? "ok" : result.refusal.code;
};

describe("the operator", () => {
  test("is let in where the operator is, and nowhere else", () => {
    expect(identify({ kind: "operator" }, ["operator"], AT, ring(), ENDED, NOW)).toEqual({ ok: true, value: { ...AT, actor: "operator", kind: "operator", keyId: null, leaseId: null, key: null } });
    expect(codeOf({ kind: "operator" }, EVERYTHING.filter((way) => way !== "operator"))).toBe("forbidden");
  });
});

describe("a lease", () => {
  const lease: Presented = { kind: "lease", tenant: TENANT, leaseId: "ls_acme_1" as LeaseId };

  test("is let in as itself where leases are, and nowhere else", () => {
    expect(identify(lease, ["lease"], AT, ring(), ENDED, NOW)).toEqual({ ok: true, value: { ...AT, actor: "ls_acme_1", kind: "lease", keyId: null, leaseId: "ls_acme_1", key: null } });
    expect(codeOf(lease, EVERYTHING.filter((way) => way !== "lease"))).toBe("forbidden");
  });
});

describe("a session of the console", () => {
  const session: Presented = { kind: "session", tenant: TENANT, keyId: "key_1" as KeyId, session: { id: "ses_1", endsAt: NOW + 1 } };

  test("is its key, with that key's scopes", () => {
    const key = stored({ scopes: ["read"] });
    expect(identify(session, ["read"], AT, ring(key), ENDED, NOW)).toEqual({ ok: true, value: { ...AT, actor: "key_1", kind: "secret", keyId: "key_1", leaseId: null, key } });
    expect(codeOf(session, ["admin"], key)).toBe("forbidden");
    expect(codeOf(session, ["operator"], stored({ scopes: ["admin"] }))).toBe("forbidden");
  });

  test.each<[string, Partial<StoredKey>]>([["revoked", { revokedAt: NOW - 1 }], ["expired", { expiresAt: NOW }], ["publishable", { type: "publishable" }], ["gone", { id: "key_2" as KeyId }]])("ends with a key that is %s", (_, more) => {
    const result = identify(session, EVERYTHING, AT, ring(stored({ scopes: ["admin"], ...more })), ENDED, NOW);
    expect(result.ok ? "" : result.refusal).toEqual({ code: "unauthorized", detail: ENDED_SESSION });
  });

  test("ends by itself", () => {
    expect(codeOf({ ...session, session: { id: "ses_1", endsAt: NOW } }, ["leases"], stored())).toBe("unauthorized");
  });

  test("ends when it is signed out of, and no other does", () => {
    expect(codeOf({ ...session, session: { id: "ses_ended", endsAt: NOW + 1 } }, ["leases"], stored())).toBe("unauthorized");
    expect(codeOf(session, ["leases"], stored())).toBe("ok");
  });
});

test("a secret key that signs in may come from our own page, and from no other", () => {
  expect(codeOf(presented({ fromEmbed: true, signsIn: true }), ["leases"], stored())).toBe("ok");
  expect(codeOf(presented({ fromEmbed: true }), ["leases"], stored())).toBe("origin-not-allowed");
  expect(codeOf(presented({ origin: SITE, signsIn: true }), ["leases"], stored())).toBe("origin-not-allowed");
});

describe("an offline lease past its end", () => {
  const late: Presented = { kind: "lease", tenant: TENANT, leaseId: "ls_acme_1" as LeaseId, late: true };

  test("is let in where it may still be reported, and nowhere else", () => {
    expect(codeOf(late, ["lease", "late-lease"])).toBe("ok");
    expect(codeOf(late, EVERYTHING)).toBe("lease-expired");
    expect(codeOf({ ...late, late: false }, ["lease"])).toBe("ok");
  });
});

test.each<[Presented, string]>([
  [{ kind: "operator" }, "This is not for the operator key."],
  [{ kind: "lease", tenant: TENANT, leaseId: "ls_acme_1" as LeaseId }, "This is not for a lease."],
  [presented({ type: "publishable" }), "This is not for a publishable key."],
])("%j is told what it is that is not let in", (who, words) => {
  const result = identify(who, ["admin"], AT, ring(stored({ type: "publishable", origins: [SITE] })), ENDED, NOW);
  expect(result.ok ? "" : result.refusal).toEqual({ code: "forbidden", detail: words });
});

describe("a key", () => {
  test.each([
    ["unknown", []],
    ["of the other type", [stored({ type: "publishable", origins: [SITE] })]],
    ["revoked", [stored({ revokedAt: NOW - 1 })]],
    ["expired", [stored({ expiresAt: NOW })]],
  ])("that is %s is unauthorized, in the same words", (_, keys) => {
    expect(identify(presented(), EVERYTHING, AT, ring(...keys), ENDED, NOW)).toEqual({ ok: false, refusal: { code: "unauthorized", detail: UNKNOWN_KEY } });
  });

  test("is usable until the instant it expires", () => {
    expect(isUsable(stored({ expiresAt: NOW + 1 }), NOW)).toBe(true);
    expect(isUsable(stored({ expiresAt: NOW }), NOW)).toBe(false);
  });
});

describe("a secret key", () => {
  test.each<[readonly KeyScope[], readonly Access[], string]>([
    [["leases"], ["leases"], "ok"],
    [["leases"], ["read", "admin"], "forbidden"],
    [["read"], ["admin", "read"], "ok"],
    [["read", "leases"], ["leases"], "ok"],
    [["admin"], ["read"], "ok"],
    [["admin"], ["leases"], "ok"],
    [["admin"], ["admin"], "ok"],
    [["admin"], ["operator", "leases", "publishable"], "ok"],
    [["admin"], ["operator"], "forbidden"],
    [["admin"], ["lease", "publishable"], "forbidden"],
    [["leases"], ["operator", "lease", "publishable"], "forbidden"],
  ])("with %j, where %j may enter: %s", (scopes, access, code) => {
    expect(codeOf(presented(), access, stored({ scopes }))).toBe(code);
  });

  test("says which scope it needs, and who is let in by it", () => {
    const refused = identify(presented(), ["operator", "admin", "read"], AT, ring(stored()), ENDED, NOW);
    expect(refused.ok ? "" : refused.refusal.detail).toBe("This needs a secret key with the scope admin or read.");
    const none = identify(presented(), ["operator"], AT, ring(stored()), ENDED, NOW);
    expect(none.ok ? "" : none.refusal.detail).toBe("This is not for a secret key.");
    const key = stored();
    expect(identify(presented(), ["leases"], AT, ring(key), ENDED, NOW)).toEqual({ ok: true, value: { ...AT, actor: "key_1", kind: "secret", keyId: "key_1", leaseId: null, key } });
  });

  test("is refused in a browser, whatever its scope", () => {
    expect(codeOf(presented({ origin: SITE }), EVERYTHING, stored({ scopes: ["admin"], origins: [SITE] }))).toBe("origin-not-allowed");
    expect(codeOf(presented({ fromEmbed: true }), EVERYTHING, stored({ scopes: ["admin"] }))).toBe("origin-not-allowed");
  });
});

describe("a publishable key", () => {
  const key = stored({ type: "publishable", scopes: [], origins: [SITE, "https://www.shop.example"] });
  const from = (more: Partial<Extract<Presented, { kind: "key" }>>) => presented({ type: "publishable", ...more });

  test.each([
    [{ origin: SITE }, "ok"],
    [{ origin: "https://www.shop.example" }, "ok"],
    [{ fromEmbed: true }, "ok"],
    [{ origin: "https://shop.example.evil" }, "origin-not-allowed"],
    [{ origin: "http://shop.example" }, "origin-not-allowed"],
    [{ origin: "null" }, "origin-not-allowed"],
    [{}, "origin-not-allowed"],
  ])("from %j: %s", (where, code) => {
    expect(codeOf(from(where), ["publishable"], key)).toBe(code);
  });

  test("is not for what publishable keys are not for, from wherever", () => {
    expect(codeOf(from({ origin: SITE }), EVERYTHING.filter((way) => way !== "publishable"), key)).toBe("forbidden");
    expect(identify(from({ origin: SITE }), ["publishable"], AT, ring(key), ENDED, NOW)).toMatchObject({ ok: true, value: { kind: "publishable", actor: "key_1" } });
  });
});
