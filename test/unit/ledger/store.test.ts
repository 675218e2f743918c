/** What the store keeps of what was read: never older than the last write of any of its tables. */
import { beforeEach, expect, test } from "vitest";
import { Postings } from "../../../worker/ledger/postings.ts";
import type { Store } from "../../../worker/ledger/store.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";
import { randomOf } from "../../support/random.ts";

let store: Store;
let reads: number;
beforeEach(() => {
  ({ store } = memoryStore());
  reads = 0;
});

const told = (code: string, tables: readonly string[] = ["denials"]) =>
  store.recall(`told ${code}`, tables, () => {
    reads += 1;
    return store.first<{ n: number }>("SELECT suppressed AS n FROM denials WHERE code = ?", code)?.n ?? null;
  });
const tell = (code: string, n: number) => store.run("INSERT INTO denials (code, since, suppressed) VALUES (?, 0, ?) ON CONFLICT (code) DO UPDATE SET suppressed = excluded.suppressed", code, n);

test("reads once, and anew after each write of one of its tables", () => {
  tell("a", 1);
  expect([told("a"), told("a"), reads]).toEqual([1, 1, 1]);
  tell("a", 2);
  expect([told("a"), told("a"), reads]).toEqual([2, 2, 2]);
  store.run("UPDATE denials SET suppressed = 3");
  expect(told("a")).toBe(3);
  store.run("DELETE FROM denials WHERE code = ?", "a");
  expect([told("a"), reads]).toEqual([null, 4]);
});

test("a write of another table changes nothing; one of several tables does", () => {
  tell("a", 1);
  told("a", ["keys", "denials"]);
  store.run("DELETE FROM webhooks WHERE id = ?", "none");
  told("a", ["keys", "denials"]);
  expect(reads).toBe(1);
  store.run("UPDATE keys SET name = 'x' WHERE id = 'none'");
  told("a", ["keys", "denials"]);
  expect(reads).toBe(2);
});

test("what is not there is asked for each time", () => {
  expect([told("a"), told("a"), reads]).toEqual([null, null, 2]);
});

test("what holds for a while is read anew after it, and where a clock goes back before it", () => {
  const at = (now: number) =>
    store.recall("while", ["denials"], () => ((reads += 1), { since: now, until: now + 10 }), ({ since, until }) => since <= now && now < until).since;
  expect([at(100), at(109), at(110), at(99), reads]).toEqual([100, 100, 110, 99, 3]);
});

test("a statement that names no table, as a migration, and `forget` forget everything", () => {
  tell("a", 1);
  told("a");
  store.run("CREATE TABLE other (id INTEGER PRIMARY KEY)");
  expect([told("a"), reads]).toEqual([1, 2]);
  store.forget();
  expect([told("a"), reads]).toEqual([1, 3]);
});

test("a transaction that throws takes along what was kept of it", () => {
  tell("a", 1);
  expect(told("a")).toBe(1);
  const fails = () =>
    store.transact(() => {
      tell("a", 2);
      expect(told("a")).toBe(2);
      throw new Error("undone");
    });
  expect(fails).toThrow("undone");
  expect(told("a")).toBe(1);
  expect(store.transact(() => (tell("a", 3), told("a")))).toBe(3);
  expect(told("a")).toBe(3);
});

test("postings say what the table says, whatever was asked before, through 2,000 postings, rollbacks and deletions", () => {
  const { store: own, database } = memoryStore();
  const postings = new Postings(own);
  const random = randomOf(20_261_122);
  const scopes = ["t", "u:", "u:a", "k:1"];
  const days = ["2026-10-31", "2026-11-01", "2026-11-22"];
  const inTable = (scope: string, from: string, to: string) => {
    const row = database.prepare("SELECT coalesce(sum(posted), 0) AS tokens, coalesce(sum(posted_nanos), 0) AS nanos FROM windows WHERE scope = ? AND day BETWEEN ? AND ?").get(scope, from, to);
    return { tokens: Number(row?.tokens), nanos: Number(row?.nanos) };
  };
  for (let step = 0; step < 2_000; step++) {
    const [scope, day] = [random.pick(scopes), random.pick(days)];
    const undone = new Error("undone");
    const add = () => {
      postings.add(scope, day, { tokens: random.int(0, 50), nanos: random.int(0, 9_000) });
      if (random.int(0, 19) === 0) throw undone;
    };
    try {
      own.transact(add);
    } catch (cause) {
      expect(cause).toBe(undone);
    }
    if (random.int(0, 199) === 0) postings.forget("2026-11-01", "2026-10-31");
    const asked = random.pick(scopes);
    const month = random.pick(["2026-10", "2026-11"]);
    const on = random.pick(days);
    expect([postings.of(asked, on), postings.ofMonth(asked, month)]).toEqual([inTable(asked, on, on), inTable(asked, `${month}-01`, `${month}-31`)]);
  }
});
