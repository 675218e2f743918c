/** Threads in step: none goes on without the others, and a crew that has failed never works again. */
import { expect, test } from "vitest";
import { SharedCrew } from "../../../../client/runtime/decode/kernel/crew.ts";

const crewOf = (threads: number, patienceMs?: number): SharedCrew[] => {
  const buffer = new SharedArrayBuffer(256);
  return Array.from({ length: threads }, (_, thread) => new SharedCrew(buffer, { claimsAt: 128, end: 256 }, thread, threads, patienceMs));
};

test("one alone goes on at once", () => {
  const [alone] = crewOf(1);
  alone?.meet();
  alone?.meet();
  expect(alone?.threads).toBe(1);
});

test("who isn't there is not waited for longer than it should, and is not taken for one of the next run when it comes", () => {
  const [first, late] = crewOf(2, 1);
  expect(() => first?.meet()).toThrow("doesn't answer");
  expect(() => late?.meet()).toThrow("has failed");
  expect(() => first?.meet()).toThrow("has failed");
});

test("the failure of one is that of all", () => {
  const [first, second, third] = crewOf(3);
  second?.fail();
  expect(() => first?.meet()).toThrow("has failed");
  expect(() => third?.meet()).toThrow("has failed");
});

test("each part is claimed once, and anew in the next run", () => {
  const [first, second] = crewOf(2);
  expect([first?.claim(3), second?.claim(3), first?.claim(3), second?.claim(4)]).toEqual([0, 1, 2, 0]);
  first?.start(2);
  expect([second?.claim(3), first?.claim(4)]).toEqual([0, 0]);
});
