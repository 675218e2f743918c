/** The identity secrets on a real SQLite (Node's): who is admitted as whom, while secrets come and go. */
import { beforeEach, describe, expect, test } from "vitest";
import type { TenantId } from "../../../schema/contract/ids.ts";
import type { StoredKey } from "../../../worker/ledger/key-ring.ts";
import type { Store } from "../../../worker/ledger/store.ts";
import { UserIdentities } from "../../../worker/ledger/user-identities.ts";
import { SealBroken, masterKeyOf } from "../../../worker/secrets/envelope.ts";
import { signUser } from "../../../worker/tenants/user-signature.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const NOW = 1_800_000_000_000;
const stamp = (ms: number) => new Date(ms).toISOString().replace(".000Z", "Z");
const masterKeys = [masterKeyOf(new Uint8Array(32).fill(1))];
const strict = { requireSignedUser: true } as StoredKey;
const lenient = { requireSignedUser: false } as StoredKey;

let store: Store;
let identities: UserIdentities;
const woken = () => new UserIdentities("acme" as TenantId, store, masterKeys);
beforeEach(() => {
  store = memoryStore().store;
  identities = woken();
});

/** A new secret: its version, and its text as it is shown this once. */
const rotate = (overlapSeconds: number, now = NOW) => {
  const version = identities.rotate(overlapSeconds, now);
  return { version, secret: identities.secretOf(version, now) as string };
};
const verdict = (key: StoredKey | null, user: string | null, signature: string | null, now = NOW) => {
  const result = identities.admit(key, user, signature, now);
  return result.ok ? result.value : result.refusal.code;
};

describe("who is admitted", () => {
  test("without a signature: unsigned, but where the key requires one", () => {
    rotate(0);
    expect([verdict(lenient, "u", null), verdict(lenient, null, null), verdict(null, "u", null)]).toEqual([false, false, false]);
    expect([verdict(strict, "u", null), verdict(strict, null, null), verdict(strict, null, signUser("s", ""))]).toEqual(["user-not-verified", "user-not-verified", "user-not-verified"]);
  });

  test("the user that was signed, under the tenant's secret alone; a wrong signature is never taken for none", () => {
    const { secret } = rotate(0);
    expect(secret).toMatch(/^lh_us_[\w-]{43}$/);
    for (const key of [strict, lenient, null]) {
      expect(verdict(key, "u", signUser(secret, "u"))).toBe(true);
      expect(verdict(key, "other", signUser(secret, "u"))).toBe("user-not-verified");
      expect(verdict(key, "u", signUser("lh_us_made-up", "u"))).toBe("user-not-verified");
    }
  });

  test("nobody before there is a secret", () => {
    expect(verdict(lenient, "u", signUser("", "u"))).toBe("user-not-verified");
  });

  test("a signature with an end is judged by the instant of the call", () => {
    const { secret } = rotate(0);
    const signature = signUser(secret, "u", NOW / 1000 + 60);
    expect([verdict(strict, "u", signature), verdict(strict, "u", signature, NOW + 60_000)]).toEqual([true, "user-not-verified"]);
  });
});

describe("a rotation", () => {
  test("the new secret signs; the one before it is accepted until its overlap ends, the one before that no more", () => {
    const [a, b] = [rotate(0), rotate(100, NOW)];
    const signed = (secret: string, now: number) => verdict(strict, "u", signUser(secret, "u"), now);
    expect([signed(a.secret, NOW + 99_999), signed(b.secret, NOW + 99_999)]).toEqual([true, true]);
    expect([signed(a.secret, NOW + 100_000), signed(b.secret, NOW + 100_000)]).toEqual(["user-not-verified", true]);
    const c = rotate(100, NOW + 1_000);
    expect([a, b, c].map(({ secret }) => signed(secret, NOW + 2_000))).toEqual(["user-not-verified", true, true]);
    expect([a.version, b.version, c.version]).toEqual([1, 2, 3]);
    expect(new Set([a.secret, b.secret, c.secret]).size).toBe(3);
  });

  test("without an overlap ends the old secret at once", () => {
    const a = rotate(0);
    rotate(0, NOW + 1);
    expect(verdict(strict, "u", signUser(a.secret, "u"), NOW + 1)).toBe("user-not-verified");
  });

  test("a secret that was put in another version's place does not open", () => {
    rotate(100);
    rotate(100);
    store.run("UPDATE user_identity SET box = (SELECT box FROM user_identity WHERE version = 1) WHERE version = 2");
    expect(() => woken().secretOf(2, NOW)).toThrow(SealBroken);
  });

  test("a secret is told by its version while it is there, and by an object that wakes up", () => {
    const [a, b, c] = [rotate(100), rotate(100), rotate(100)];
    expect([1, 2, 3, 4].map((version) => woken().secretOf(version, NOW))).toEqual([null, b.secret, c.secret, null]);
    expect(woken().admit(strict, "u", signUser(c.secret, "u"), NOW)).toEqual({ ok: true, value: true });
    expect(woken().admit(strict, "u", signUser(a.secret, "u"), NOW)).toMatchObject({ ok: false });
  });

  test("the state says since when the current one signs and until when the one before it is accepted", () => {
    expect(identities.state(NOW)).toEqual({ created_at: null, previous_until: null });
    rotate(100, NOW);
    expect(identities.state(NOW)).toEqual({ created_at: stamp(NOW), previous_until: null });
    rotate(100, NOW + 1_000);
    expect(identities.state(NOW + 2_000)).toEqual({ created_at: stamp(NOW + 1_000), previous_until: stamp(NOW + 101_000) });
    expect(identities.state(NOW + 101_000)).toEqual({ created_at: stamp(NOW + 1_000), previous_until: null });
  });
});
