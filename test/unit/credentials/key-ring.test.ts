/** The keys of a tenant on a real SQLite (Node's): the same statements that the tenant object runs. */
import { beforeEach, describe, expect, test } from "vitest";
import type { KeyId } from "../../../schema/contract/ids.ts";
import { type KeyCreate, keyLimits } from "../../../schema/contract/tenants.ts";
import { KeyRing, toKey } from "../../../worker/ledger/key-ring.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
const stamp = (ms: number) => new Date(ms).toISOString().replace(".000Z", "Z");
const id = (name: string) => `key_${name}` as KeyId;
const secret = (more: Partial<KeyCreate> = {}): KeyCreate => ({ type: "secret", name: "back end", ...more }) as KeyCreate;
const publishable = (more: Partial<KeyCreate> = {}): KeyCreate => ({ type: "publishable", name: "shop", origins: ["https://shop.example"], ...more }) as KeyCreate;

let ring: KeyRing;
beforeEach(() => {
  ring = new KeyRing(memoryStore().store);
});

test("a secret key may ask for leases where nothing else is said; it has no origins and no limit", () => {
  expect(ring.add(id("a"), "hash-a", "lh_sk_acme_1234…", secret(), NOW)).toEqual({
    id: "key_a", type: "secret", name: "back end", hint: "lh_sk_acme_1234…", scopes: ["leases"], origins: [], limits: keyLimits.parse({ daily_token_limit: null }), requireSignedUser: false,
    createdAt: NOW, expiresAt: null, revokedAt: null, lineage: null, rotatedTo: null, line: ["key_a"],
  });
  expect(ring.add(id("b"), "hash-b", "", secret({ scopes: ["admin", "read"] }), NOW).scopes).toEqual(["admin", "read"]);
});

test("a publishable key has no scope; its origins, its limit, its demand for signed users and its end are kept", () => {
  const body = publishable({ limits: keyLimits.parse({ daily_token_limit: 7 }), require_signed_user: true, expires_at: stamp(NOW + DAY) });
  const made = ring.add(id("a"), "hash-a", "", { ...body, scopes: ["admin"] }, NOW);
  expect(made).toMatchObject({ scopes: [], origins: ["https://shop.example"], limits: keyLimits.parse({ daily_token_limit: 7 }), requireSignedUser: true, expiresAt: NOW + DAY });
});

test("what the API shows of a key holds neither the key nor its hash", () => {
  ring.add(id("a"), "hash-a", "hint", secret({ expires_at: stamp(NOW + DAY) }), NOW);
  ring.revoke(id("a"), NOW + 5);
  const shown = toKey(ring.byId("key_a") as NonNullable<ReturnType<KeyRing["byId"]>>);
  expect(shown).toEqual({
    id: "key_a", type: "secret", name: "back end", hint: "hint", scopes: ["leases"], origins: [], limits: keyLimits.parse({ daily_token_limit: null }), require_signed_user: false,
    created_at: stamp(NOW), expires_at: stamp(NOW + DAY), revoked_at: stamp(NOW + 5), rotated_to: null,
  });
  ring.add(id("c"), "hash-c", "", publishable(), NOW);
  expect(toKey(ring.byId("key_c") as never)).toMatchObject({ scopes: [], origins: ["https://shop.example"] });
  ring.add(id("b"), "hash-b", "", secret(), NOW);
  expect(toKey(ring.byId("key_b") as never)).toMatchObject({ expires_at: null, revoked_at: null });
});

test("a key is found by its id and by its hash, and by nothing else", () => {
  ring.add(id("a"), "hash-a", "", secret(), NOW);
  expect([ring.byId("key_a")?.id, ring.byHash("hash-a")?.id]).toEqual(["key_a", "key_a"]);
  expect([ring.byId("hash-a"), ring.byHash("key_a"), ring.byId("key_b"), ring.byHash("")]).toEqual([null, null, null, null]);
});

test("keys are listed in the order of their making, from the cursor on", () => {
  for (const name of ["c", "a", "b"]) ring.add(id(name), `hash-${name}`, "", secret(), NOW);
  const ids = (after: string, limit: number) => ring.list(after, limit).map((key) => key.id);
  expect([ids("", 2), ids("key_b", 2), ids("key_c", 2)]).toEqual([["key_a", "key_b"], ["key_c"], []]);
});

test("a key is revoked once: a second time does not move the instant", () => {
  ring.add(id("a"), "hash-a", "", secret(), NOW);
  ring.add(id("b"), "hash-b", "", secret(), NOW);
  ring.revoke("key_a", NOW + 1);
  ring.revoke("key_a", NOW + 2);
  expect([ring.byId("key_a")?.revokedAt, ring.byId("key_b")?.revokedAt]).toEqual([NOW + 1, null]);
});

describe("a rotation", () => {
  const rotate = (from: string, to: string, endsAt: number, now: number) => ring.rotate(ring.byId(id(from)) as NonNullable<ReturnType<KeyRing["byId"]>>, id(to), `hash-${to}`, `hint-${to}`, endsAt, now);

  test("hands the name and the rights on, and ends the old key when it is to end", () => {
    ring.add(id("a"), "hash-a", "hint-a", publishable({ limits: keyLimits.parse({ daily_token_limit: 9 }), require_signed_user: true }), NOW);
    expect(rotate("a", "b", NOW + 100, NOW + 10)).toEqual({
      id: "key_b", type: "publishable", name: "shop", hint: "hint-b", scopes: [], origins: ["https://shop.example"], limits: keyLimits.parse({ daily_token_limit: 9 }), requireSignedUser: true,
      createdAt: NOW + 10, expiresAt: null, revokedAt: null, lineage: "key_a", rotatedTo: null, line: ["key_a", "key_b"],
    });
    expect(ring.byId("key_a")).toMatchObject({ hint: "hint-a", expiresAt: NOW + 100, rotatedTo: "key_b", lineage: "key_a", line: ["key_a", "key_b"] });
    expect(ring.byHash("hash-b")?.id).toBe("key_b");
  });

  test("a key that was made to live for a while is followed by one that lives as long", () => {
    ring.add(id("a"), "hash-a", "", secret({ expires_at: stamp(NOW + 5 * DAY) }), NOW);
    expect(rotate("a", "b", NOW + 2 * DAY, NOW + DAY).expiresAt).toBe(NOW + 6 * DAY);
  });

  test("all keys of a line share its limits, however often it is rotated; other keys are no part of it", () => {
    ring.add(id("a"), "hash-a", "", secret(), NOW);
    ring.add(id("x"), "hash-x", "", secret(), NOW);
    rotate("a", "b", NOW + 1, NOW);
    rotate("b", "c", NOW + 1, NOW);
    rotate("x", "y", NOW + 1, NOW);
    for (const name of ["a", "b", "c"]) expect(ring.byId(id(name))).toMatchObject({ lineage: "key_a", line: ["key_a", "key_b", "key_c"] });
    expect(ring.byId("key_y")?.line).toEqual(["key_x", "key_y"]);
  });
});

describe("the end of a key", () => {
  test("is told once, when it has come; not of a key that was revoked before", () => {
    expect(ring.nextExpiry()).toBeNull();
    ring.add(id("a"), "hash-a", "", secret({ expires_at: stamp(NOW + 1_000) }), NOW);
    ring.add(id("b"), "hash-b", "", secret({ expires_at: stamp(NOW + 2_000) }), NOW);
    ring.add(id("c"), "hash-c", "", secret(), NOW);
    ring.add(id("d"), "hash-d", "", secret({ expires_at: stamp(NOW + 500) }), NOW);
    ring.revoke("key_d", NOW);
    const ended = (now: number) => ring.takeEnded(now).map((key) => key.id);
    expect([ring.nextExpiry(), ended(NOW + 999)]).toEqual([NOW + 1_000, []]);
    expect([ended(NOW + 1_000), ended(NOW + 1_000), ring.nextExpiry()]).toEqual([["key_a"], [], NOW + 2_000]);
    expect([ended(NOW + DAY), ring.nextExpiry()]).toEqual([["key_b"], null]);
  });
});

test("dead keys are forgotten after their time, those that are accepted never; only these count as active", () => {
  ring.add(id("live"), "h1", "", secret(), NOW);
  ring.add(id("revoked"), "h2", "", secret(), NOW);
  ring.add(id("ended"), "h3", "", secret({ expires_at: stamp(NOW + DAY) }), NOW);
  ring.add(id("untold"), "h4", "", secret({ expires_at: stamp(NOW + 2 * DAY) }), NOW);
  expect(ring.active(NOW)).toBe(4);
  ring.revoke("key_revoked", NOW + DAY);
  ring.takeEnded(NOW + DAY);
  expect([ring.active(NOW + DAY), ring.active(NOW + 2 * DAY)]).toEqual([2, 1]);
  ring.forget(NOW + DAY);
  expect(ring.list("", 10)).toHaveLength(4);
  ring.forget(NOW + 3 * DAY);
  // The end of `untold` is not in the audit yet.
  expect(ring.list("", 10).map((key) => key.id)).toEqual(["key_live", "key_untold"]);
});
