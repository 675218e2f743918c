/** The vault on a real SQLite (Node's): versions, the place of each value, the rotation of the master key. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { TenantId } from "../../../schema/contract/ids.ts";
import type { SecretName } from "../../../schema/contract/secrets.ts";
import { MasterKeyMissing, SecretVault, unlocked } from "../../../worker/ledger/secret-vault.ts";
import { done, refuse } from "../../../worker/ledger/result.ts";
import type { Store } from "../../../worker/ledger/store.ts";
import { type MasterKey, SealBroken, masterKeyOf } from "../../../worker/secrets/envelope.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const ACME = "acme" as TenantId;
const NOW = 1_800_000_000_000;
const stamp = (ms: number) => new Date(ms).toISOString().replace(".000Z", "Z");
const name = (text: string) => text as SecretName;
const [first, second] = [1, 2].map((byte) => masterKeyOf(new Uint8Array(32).fill(byte))) as [MasterKey, MasterKey];

let store: Store;
let vault: SecretVault;
const open = (...keys: MasterKey[]) => new SecretVault(ACME, store, keys);
beforeEach(() => {
  store = memoryStore().store;
  vault = open(first);
});

test("a value is put, opened, replaced and deleted; its versions go on counting", () => {
  expect(vault.put(name("a"), "one", NOW)).toEqual({ name: "a", version: 1, created_at: stamp(NOW), updated_at: stamp(NOW), last_used_at: null });
  expect(vault.open("a", NOW)).toBe("one");
  expect(vault.put(name("a"), "two", NOW + 1_000)).toEqual({ name: "a", version: 2, created_at: stamp(NOW), updated_at: stamp(NOW + 1_000), last_used_at: null });
  expect(vault.open("a", NOW)).toBe("two");
  vault.delete("a");
  expect([vault.find("a"), vault.open("a", NOW), vault.count(), vault.list("", 10)]).toEqual([null, null, 0, []]);
  // What was made anew after its deletion is new; the place in which it is sealed is none that ever was.
  expect(vault.put(name("a"), "three", NOW + 2_000)).toEqual({ name: "a", version: 3, created_at: stamp(NOW + 2_000), updated_at: stamp(NOW + 2_000), last_used_at: null });
});

test("a deletion is of one name", () => {
  vault.put(name("a"), "one", NOW);
  vault.put(name("b"), "two", NOW);
  vault.delete("a");
  expect([vault.open("a", NOW), vault.open("b", NOW), vault.open("c", NOW), vault.find("c"), vault.count()]).toEqual([null, "two", null, null, 1]);
});

test("names are listed in order, from the cursor on, without those that are gone", () => {
  for (const each of ["c", "a", "d", "b"]) vault.put(name(each), each, NOW);
  vault.delete("b");
  const names = (after: string, limit: number) => vault.list(after, limit).map((secret) => secret.name);
  expect([names("", 2), names("c", 2), names("d", 2), vault.count()]).toEqual([["a", "c"], ["d"], [], 3]);
});

test("the last use is known to the minute", () => {
  vault.put(name("a"), "one", NOW);
  const used = () => vault.find("a")?.last_used_at;
  vault.open("a", NOW);
  expect(used()).toBe(stamp(NOW));
  vault.open("a", NOW + 59_999);
  expect(used()).toBe(stamp(NOW));
  vault.open("a", NOW + 60_000);
  expect(used()).toBe(stamp(NOW + 60_000));
  vault.put(name("a"), "two", NOW + 61_000);
  expect(used()).toBeNull();
});

test("a box in another row's place does not open, nor under another name, nor for another tenant", () => {
  vault.put(name("a"), "one", NOW);
  vault.put(name("b"), "two", NOW);
  store.run("UPDATE secrets SET box = (SELECT box FROM secrets WHERE name = 'a') WHERE name = 'b'");
  expect(() => vault.open("b", NOW)).toThrow(SealBroken);
  expect(vault.open("a", NOW)).toBe("one");
  // Set back to a version that was: the box of version 1 does not pass for version 2.
  const old = store.first<{ box: string }>("SELECT box FROM secrets WHERE name = 'a'")?.box as string;
  vault.put(name("a"), "newer", NOW);
  store.run("UPDATE secrets SET box = ? WHERE name = 'a'", old);
  expect(() => vault.open("a", NOW)).toThrow(SealBroken);
  expect(() => new SecretVault("globex" as TenantId, store, [first]).open("a", NOW)).toThrow(SealBroken);
});

test("what is sealed for a place opens there alone", () => {
  const box = vault.seal("text", "webhook:1", NOW);
  expect(vault.unseal(box, "webhook:1", NOW)).toBe("text");
  expect(() => vault.unseal(box, "webhook:2", NOW)).toThrow(SealBroken);
});

describe("the master key", () => {
  const wrappedUnder = () => store.first<{ master_key: string }>("SELECT master_key FROM data_key")?.master_key;

  test("wraps one data key, made with the first secret", () => {
    expect(wrappedUnder()).toBeUndefined();
    expect(vault.masterKeyId).toBe(first.id);
    vault.put(name("a"), "one", NOW);
    vault.put(name("b"), "two", NOW);
    expect(wrappedUnder()).toBe(first.id);
    expect(open(first).open("a", NOW)).toBe("one");
  });

  test("that is rotated takes the data key over at the next use, and the earlier one is needed no more", () => {
    vault.put(name("a"), "one", NOW);
    const rotated = open(second, first);
    expect(rotated.open("a", NOW + 5)).toBe("one");
    expect(wrappedUnder()).toBe(second.id);
    expect(store.first<{ at: number }>("SELECT wrapped_at AS at FROM data_key")?.at).toBe(NOW + 5);
    expect(open(second).open("a", NOW)).toBe("one");
    expect(() => open(first).open("a", NOW)).toThrow(MasterKeyMissing);
  });

  test("stays as it is where it is the current one", () => {
    vault.put(name("a"), "one", NOW);
    const box = () => store.first<{ box: string }>("SELECT box FROM data_key")?.box;
    const before = box();
    open(first, second).open("a", NOW);
    expect(box()).toBe(before);
  });

  test("a rewrap says whether there was anything to wrap anew", () => {
    expect(open(second, first).rewrap(NOW)).toBe(false);
    vault.put(name("a"), "one", NOW);
    expect(vault.rewrap(NOW)).toBe(false);
    expect(open(second, first).rewrap(NOW)).toBe(true);
    expect(wrappedUnder()).toBe(second.id);
    expect(open(second, first).rewrap(NOW)).toBe(false);
  });
});

describe("what does not open", () => {
  test("is refused and told to the operator; the rest serves on", () => {
    const lines: string[] = [];
    const spy = vi.spyOn(console, "error").mockImplementation((line: string) => void lines.push(line));
    const codeOf = (work: () => never) => {
      const result = unlocked(ACME, work);
      return result.ok ? "ok" : result.refusal;
    };
    expect(codeOf(() => { throw new SealBroken(); })).toMatchObject({ code: "unavailable" });
    const missing = codeOf(() => { throw new MasterKeyMissing("0123456789abcdef"); });
    expect(missing).toMatchObject({ code: "unavailable", detail: expect.stringContaining("0123456789abcdef") as string });
    expect(missing).toMatchObject({ detail: expect.stringContaining("LEASEHOLD_PREVIOUS_MASTER_KEYS") as string });
    spy.mockRestore();
    expect(lines.map((line) => (JSON.parse(line) as { tenant: string }).tenant)).toEqual(["acme", "acme"]);
  });

  test("any other fault is thrown on; what works is answered", () => {
    const fault = new Error("disk");
    expect(() => unlocked(ACME, () => { throw fault; })).toThrow(fault);
    expect(unlocked(ACME, () => done(5))).toEqual({ ok: true, value: 5 });
    expect(unlocked(ACME, () => refuse("not-found", "x"))).toMatchObject({ ok: false });
  });
});
