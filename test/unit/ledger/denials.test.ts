import { expect, test } from "vitest";
import { Denials } from "../../../worker/ledger/denials.ts";

const MINUTE = 60_000;

test("the first refusal of a reason is written at once, those of the next minute are counted", () => {
  const denials = new Denials();
  expect(denials.count("daily-quota-exceeded", 0)).toBe(1);
  for (let i = 1; i <= 1000; i++) expect(denials.count("daily-quota-exceeded", i)).toBe(0);
  expect(denials.nextDue()).toBe(MINUTE);
  expect(denials.takeDue(MINUTE - 1)).toEqual([]);
  expect(denials.takeDue(MINUTE)).toEqual([{ code: "daily-quota-exceeded", count: 1000 }]);
  expect(denials.takeDue(MINUTE)).toEqual([]);
  expect(denials.nextDue()).toBeNull();
});

test("each reason is counted for itself", () => {
  const denials = new Denials();
  expect(denials.count("daily-quota-exceeded", 0)).toBe(1);
  expect(denials.count("user-quota-exceeded", 10)).toBe(1);
  denials.count("user-quota-exceeded", 20);
  expect(denials.nextDue()).toBe(MINUTE + 10);
  expect(denials.takeDue(2 * MINUTE)).toEqual([{ code: "user-quota-exceeded", count: 1 }]);
});

test("a refusal after the minute, before the alarm, is written with those that were counted", () => {
  const denials = new Denials();
  denials.count("daily-quota-exceeded", 0);
  denials.count("daily-quota-exceeded", 1);
  denials.count("daily-quota-exceeded", 2);
  expect(denials.count("daily-quota-exceeded", MINUTE)).toBe(3);
  expect(denials.nextDue()).toBeNull();
});

test("no refusal is lost or told twice, whatever comes when", () => {
  const denials = new Denials();
  let told = 0;
  for (let i = 0; i < 10_000; i++) {
    told += denials.count(i % 3 === 0 ? "daily-quota-exceeded" : "forbidden", i * 37);
    if (i % 100 === 0) for (const { count } of denials.takeDue(i * 37)) told += count;
  }
  for (const { count } of denials.takeDue(1e9)) told += count;
  expect(told).toBe(10_000);
});
