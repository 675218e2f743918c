import { expect, test } from "vitest";
import { Denials } from "../../../worker/ledger/denials.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const MINUTE = 60_000;

test("the first refusal of a reason is written at once, those of the next minute are counted", () => {
  const denials = new Denials(memoryStore().store);
  expect(denials.count("daily-quota-exceeded", 0)).toBe(1);
  for (let i = 1; i <= 1000; i++) expect(denials.count("daily-quota-exceeded", i)).toBe(0);
  denials.noteDue(10_001);
  expect(denials.nextDue()).toBe(MINUTE);
  expect(denials.takeDue(MINUTE - 1)).toEqual([]);
  expect(denials.takeDue(MINUTE)).toEqual([{ code: "daily-quota-exceeded", count: 1000 }]);
  expect(denials.takeDue(MINUTE)).toEqual([]);
  expect(denials.nextDue()).toBeNull();
});

test("each reason is counted for itself", () => {
  const denials = new Denials(memoryStore().store);
  expect(denials.count("daily-quota-exceeded", 0)).toBe(1);
  expect(denials.count("user-quota-exceeded", 10)).toBe(1);
  denials.count("user-quota-exceeded", 20);
  denials.noteDue(10_020);
  expect(denials.nextDue()).toBe(MINUTE + 10);
  expect(denials.takeDue(2 * MINUTE)).toEqual([{ code: "user-quota-exceeded", count: 1 }]);
});

test("a refusal after the minute, before the alarm, is written with those that were counted", () => {
  const denials = new Denials(memoryStore().store);
  denials.count("daily-quota-exceeded", 0);
  denials.count("daily-quota-exceeded", 1);
  denials.count("daily-quota-exceeded", 2);
  expect(denials.count("daily-quota-exceeded", MINUTE)).toBe(3);
  expect(denials.nextDue()).toBeNull();
});

test("the soonest count falls due first, whichever reason came first", () => {
  const denials = new Denials(memoryStore().store);
  for (const [code, at] of [["forbidden", 0], ["daily-quota-exceeded", 20], ["user-quota-exceeded", 10]] as const) {
    denials.count(code, at);
    if (code !== "forbidden") denials.count(code, at + 1);
  }
  expect(denials.nextDue()).toBe(10_011);
  denials.noteDue(10_011);
  expect(denials.nextDue()).toBe(10_021);
  denials.noteDue(10_021);
  expect(denials.nextDue()).toBe(MINUTE + 10);
  denials.count("forbidden", 30);
  denials.noteDue(10_030);
  expect(denials.nextDue()).toBe(MINUTE);
});

test("one refusal alone is remembered when the object wakes up, and not one that was undone", () => {
  const { store, database } = memoryStore();
  new Denials(store).count("forbidden", 0);
  const denials = new Denials(store);
  expect(denials.count("forbidden", 1)).toBe(0);
  database.exec("SAVEPOINT undone");
  expect(denials.count("daily-quota-exceeded", 2)).toBe(1);
  database.exec("ROLLBACK TO undone");
  denials.reload();
  expect(denials.count("daily-quota-exceeded", 3)).toBe(1);
});

test("no refusal is lost or told twice, whatever comes when", () => {
  const denials = new Denials(memoryStore().store);
  let told = 0;
  for (let i = 0; i < 10_000; i++) {
    told += denials.count(i % 3 === 0 ? "daily-quota-exceeded" : "forbidden", i * 37);
    if (i % 100 === 0) for (const { count } of denials.takeDue(i * 37)) told += count;
  }
  for (const { count } of denials.takeDue(1e9)) told += count;
  expect(told).toBe(10_000);
});

test("a count is noted ten seconds after it began, and outlives the object from then on", () => {
  const { store } = memoryStore();
  let denials = new Denials(store);
  denials.count("forbidden", 0);
  expect(denials.nextDue()).toBeNull();
  expect(denials.count("forbidden", 5_000)).toBe(0);
  expect(denials.nextDue()).toBe(15_000);
  denials.count("forbidden", 14_000);
  denials.noteDue(14_999);
  expect(denials.nextDue()).toBe(15_000);
  denials.noteDue(15_000);
  expect(denials.nextDue()).toBe(MINUTE);
  denials.count("forbidden", 55_000);
  // Its minute is over before it would be noted.
  expect(denials.nextDue()).toBe(MINUTE);
  denials = new Denials(store);
  expect(denials.nextDue()).toBe(MINUTE);
  expect(denials.count("forbidden", 56_000)).toBe(0);
  // The one after the note is lost with the object.
  expect(denials.takeDue(MINUTE)).toEqual([{ code: "forbidden", count: 3 }]);
  expect(new Denials(store).takeDue(2 * MINUTE)).toEqual([]);
});

test("several that come at once are one event, or so many more of a count", () => {
  const denials = new Denials(memoryStore().store);
  expect(denials.count("forbidden", 0, 99)).toBe(99);
  expect(denials.count("forbidden", 1, 50)).toBe(0);
  expect(denials.takeDue(MINUTE)).toEqual([{ code: "forbidden", count: 50 }]);
});

test("what is counted writes nothing", () => {
  const { store, database } = memoryStore();
  const denials = new Denials(store);
  denials.count("forbidden", 0);
  const written = () => database.prepare("SELECT total_changes() AS n").get()?.n;
  const before = written();
  for (let ms = 1; ms < 30_000; ms += 1) denials.count("forbidden", ms);
  expect(written()).toBe(before);
});
