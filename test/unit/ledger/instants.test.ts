import { expect, test } from "vitest";
import { Instants } from "../../../worker/ledger/instants.ts";

const instantsOf = (...all: number[]) => {
  const instants = new Instants();
  for (const at of all) instants.add(at);
  return instants;
};

/** The soonest after each is taken out. */
const leaving = (instants: Instants, ...all: number[]) =>
  all.map((at) => {
    instants.remove(at);
    return instants.soonest;
  });

test("the soonest of many instants, however they come and go", () => {
  expect(new Instants().soonest).toBeNull();
  expect(leaving(instantsOf(30, 10, 20, 10), 10, 30, 10, 20)).toEqual([10, 10, 20, null]);
  expect(leaving(instantsOf(10, 20, 30, 40), 10, 20, 30, 40)).toEqual([20, 30, 40, null]);
  expect(leaving(instantsOf(10, 40, 30, 20), 10, 20, 30, 40)).toEqual([20, 30, 40, null]);
});

test("an instant is taken out as often as it was added, and no more", () => {
  const instants = instantsOf(10, 10);
  expect(leaving(instants, 10, 10)).toEqual([10, null]);
  expect(() => instants.remove(10)).toThrow("never added");
});

test("none is left of what was cleared", () => {
  const instants = instantsOf(10);
  instants.clear();
  expect(instants.soonest).toBeNull();
  expect(() => instants.remove(10)).toThrow("never added");
  instants.add(20);
  expect(instants.soonest).toBe(20);
});
