import { expect, test } from "vitest";
import type { Stand } from "../../../worker/alerts/thresholds.ts";
import { AlertBook } from "../../../worker/ledger/alert-book.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const stand = (posted: number, more: Partial<Stand> = {}): Stand => ({ name: "daily_token_limit", of: null, window: "2026-11-22", limit: 100, held: 0, posted, resetsAt: 0, ...more });
const told = (book: AlertBook, one: Stand, refused = false) => book.take(one, 0, refused).map((alert) => alert.threshold);

test("each threshold is told once in a window, whatever goes up and down", () => {
  const book = new AlertBook(memoryStore().store);
  expect(told(book, stand(49))).toEqual([]);
  expect(told(book, stand(50))).toEqual([50]);
  expect(told(book, stand(79))).toEqual([]);
  expect(told(book, stand(30))).toEqual([]);
  expect(told(book, stand(60))).toEqual([]);
  expect(told(book, stand(100))).toEqual([80, 100]);
  expect(told(book, stand(100), true)).toEqual([]);
});

test("what falls back and rises again is not told again, and writes nothing", () => {
  const { store, database } = memoryStore();
  const book = new AlertBook(store);
  expect(book.take(stand(85), 0).map(({ threshold }) => threshold)).toEqual([50, 80]);
  const changes = () => database.prepare("SELECT total_changes() AS n").get()?.n;
  const before = changes();
  for (const posted of [85, 60, 0, 85, 99]) expect(told(book, stand(posted))).toEqual([]);
  expect(changes()).toBe(before);
  expect(told(book, stand(100))).toEqual([100]);
});

test("the next window, another limit, another user: each for itself", () => {
  const book = new AlertBook(memoryStore().store);
  expect(told(book, stand(80))).toEqual([50, 80]);
  expect(told(book, stand(80, { window: "2026-11-23" }))).toEqual([50, 80]);
  expect(told(book, stand(80, { name: "monthly_token_limit" }))).toEqual([50, 80]);
  expect(told(book, stand(80, { of: "u1" }))).toEqual([50, 80]);
  expect(told(book, stand(80, { of: "u2" }))).toEqual([50, 80]);
  expect(told(book, stand(80, { limit: 90 }))).toEqual([50, 80]);
  expect(told(book, stand(80))).toEqual([]);
});

test("what was told is told no more after an eviction or an undone transaction", () => {
  const { store } = memoryStore();
  expect(told(new AlertBook(store), stand(80))).toEqual([50, 80]);
  const again = new AlertBook(store);
  expect(told(again, stand(80))).toEqual([]);
  again.forget();
  expect(told(again, stand(100))).toEqual([100]);
});

test("a limit without a window may be reached again once it has fallen back", () => {
  const book = new AlertBook(memoryStore().store);
  const standing = (posted: number) => stand(posted, { name: "storage_bytes", window: "standing" });
  expect(told(book, standing(100))).toEqual([50, 80, 100]);
  expect(told(book, standing(60))).toEqual([]);
  expect(told(book, standing(85))).toEqual([80]);
  expect(told(book, standing(0))).toEqual([]);
  expect(told(book, standing(100))).toEqual([50, 80, 100]);
});

test("old windows are forgotten, standing limits are not", () => {
  const { store } = memoryStore();
  const book = new AlertBook(store);
  told(book, stand(50));
  told(book, stand(50, { window: "standing" }));
  book.forgetOld(39 * 86_400_000);
  book.forget();
  expect(told(book, stand(50))).toEqual([]);
  book.forgetOld(41 * 86_400_000);
  book.forget();
  expect(told(book, stand(50))).toEqual([50]);
  expect(told(book, stand(50, { window: "standing" }))).toEqual([]);
});
