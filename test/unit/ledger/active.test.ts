import { expect, test } from "vitest";
import { ActiveLeases } from "../../../worker/ledger/active.ts";

test("a lease is active until its end, and not at it", () => {
  const active = new ActiveLeases();
  active.add(10_000);
  active.add(20_000, 2);
  expect(active.at(9_999)).toEqual({ count: 3, soonest: 10_000 });
  expect(active.at(10_000)).toEqual({ count: 2, soonest: 20_000 });
  expect(active.at(20_000)).toEqual({ count: 0, soonest: null });
});

test("a lease that was resolved before its end is counted out once", () => {
  const active = new ActiveLeases();
  active.add(10_000);
  active.add(10_000);
  active.remove(10_000);
  expect(active.at(0)).toEqual({ count: 1, soonest: 10_000 });
  active.remove(10_000);
  expect(active.at(0)).toEqual({ count: 0, soonest: null });
  active.remove(10_000);
  expect(active.at(0).count).toBe(0);
});

test("one that was resolved after its end had been counted out already", () => {
  const active = new ActiveLeases();
  active.add(10_000);
  active.add(20_000);
  active.at(10_000);
  active.remove(10_000);
  expect(active.at(10_000)).toEqual({ count: 1, soonest: 20_000 });
});

test("ends are found in any order", () => {
  const active = new ActiveLeases();
  for (const end of [30_000, 10_000, 20_000]) active.add(end);
  expect(active.at(0).soonest).toBe(10_000);
  active.clear();
  expect(active.at(0)).toEqual({ count: 0, soonest: null });
});
