import { expect, test } from "vitest";
import { Floods } from "../../../worker/ledger/floods.ts";

/** Whether so many refusals a second, for ten seconds, end as a flood. */
function flooded(perSecond: number): boolean {
  const floods = new Floods();
  for (let i = 0; i < perSecond * 10; i++) floods.add("requests-per-minute-exceeded", 1, (i * 1000) / perSecond);
  return floods.isFlood("requests-per-minute-exceeded", 10_000);
}

test.each([[1, false], [10, false], [20, true], [100, true]])("%i refusals a second: %s", (perSecond, is) => {
  expect(flooded(perSecond)).toBe(is);
});

test("it begins with the twentieth of a burst, of its own reason, and is over some seconds after the last", () => {
  const floods = new Floods();
  for (let i = 1; i < 20; i++) floods.add("requests-per-minute-exceeded", 1, 0);
  expect(floods.isFlood("requests-per-minute-exceeded", 0)).toBe(false);
  floods.add("requests-per-minute-exceeded", 1, 0);
  expect(floods.isFlood("requests-per-minute-exceeded", 0)).toBe(true);
  expect(floods.isFlood("key-requests-per-minute-exceeded", 0)).toBe(false);
  expect(floods.isFlood("requests-per-minute-exceeded", 1)).toBe(false);
});

test("counts that are handed over keep it up as if they had come one by one", () => {
  const floods = new Floods();
  floods.add("requests-per-minute-exceeded", 80, 0);
  expect(floods.isFlood("requests-per-minute-exceeded", 2_000)).toBe(true);
  expect(floods.isFlood("requests-per-minute-exceeded", 2_001)).toBe(false);
  // A clock that goes back warms nothing.
  expect(floods.isFlood("requests-per-minute-exceeded", -60_000)).toBe(true);
});
