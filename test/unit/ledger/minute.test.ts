import { describe, expect, test } from "vitest";
import { MinuteWindow } from "../../../worker/ledger/minute.ts";

const SECOND = 1000;
const START = 1_800_000_000_000;

describe("the sliding minute", () => {
  test("holds what was admitted in the 60 seconds that end now", () => {
    const minute = new MinuteWindow();
    minute.admit(START, 10);
    minute.admit(START + 30 * SECOND, 5);
    expect(minute.sums(START + 30 * SECOND)).toEqual({ held: 15, posted: 0, requests: 2 });
    expect(minute.sums(START + 59.999 * SECOND)).toEqual({ held: 15, posted: 0, requests: 2 });
    expect(minute.sums(START + 60 * SECOND)).toEqual({ held: 5, posted: 0, requests: 1 });
    expect(minute.sums(START + 90 * SECOND)).toEqual({ held: 0, posted: 0, requests: 0 });
  });

  test("counts the whole second of a grant: 999 ms after its start it still leaves with that second", () => {
    const minute = new MinuteWindow();
    minute.admit(START + 999, 10);
    expect(minute.sums(START + 59.999 * SECOND).held).toBe(10);
    expect(minute.sums(START + 60 * SECOND).held).toBe(0);
  });

  test("a refund goes to the second that was charged", () => {
    const minute = new MinuteWindow();
    minute.admit(START, 10);
    minute.admit(START + 20 * SECOND, 10);
    minute.resolve(START, 10, 4);
    expect(minute.sums(START + 40 * SECOND)).toEqual({ held: 10, posted: 4, requests: 2 });
    expect(minute.sums(START + 60 * SECOND)).toEqual({ held: 10, posted: 0, requests: 1 });
  });

  test("a refund to a second that has left changes nothing", () => {
    const minute = new MinuteWindow();
    minute.admit(START, 10);
    minute.sums(START + 60 * SECOND);
    minute.resolve(START, 10, 4);
    expect(minute.sums(START + 60 * SECOND)).toEqual({ held: 0, posted: 0, requests: 0 });
  });

  test("a refilled lease brings what it has posted", () => {
    const minute = new MinuteWindow();
    minute.admit(START, 6, 4);
    expect(minute.sums(START)).toEqual({ held: 6, posted: 4, requests: 1 });
    minute.clear();
    expect(minute.sums(START)).toEqual({ held: 0, posted: 0, requests: 0 });
  });

  test.each([
    ["tokens", 1, 60],
    ["tokens", 10, 60],
    ["tokens", 11, 80],
    ["tokens", 15, 80],
    ["tokens", 16, 105],
    ["tokens", 1_000, 105],
    ["requests", 1, 60],
    ["requests", 2, 80],
    ["requests", 3, 105],
  ] as const)("%s: %d are free again after %d seconds", (measure, needed, seconds) => {
    const minute = new MinuteWindow();
    minute.admit(START, 10);
    minute.admit(START + 20 * SECOND, 5);
    // Now, nothing is held: where more is needed than the window holds, its whole length from now is the answer.
    expect(minute.freesAt(START + 45 * SECOND, needed, measure)).toBe(START + seconds * SECOND);
  });

  test("seconds come in order, however they were admitted", () => {
    const minute = new MinuteWindow();
    minute.admit(START + 20 * SECOND, 5);
    minute.admit(START, 10);
    expect(minute.freesAt(START + 30 * SECOND, 5, "tokens")).toBe(START + 60 * SECOND);
    expect(minute.freesAt(START + 30 * SECOND, 11, "tokens")).toBe(START + 80 * SECOND);
  });

  test("what is posted leaves with its second as what is held does", () => {
    const minute = new MinuteWindow();
    minute.admit(START, 6, 4);
    minute.admit(START + 20 * SECOND, 5);
    expect(minute.freesAt(START + 30 * SECOND, 10, "tokens")).toBe(START + 60 * SECOND);
  });

  test("of what has left nothing becomes free again", () => {
    const minute = new MinuteWindow();
    minute.admit(START, 10);
    minute.sums(START + 60 * SECOND);
    expect(minute.freesAt(START + 60 * SECOND, 1, "tokens")).toBe(START + 120 * SECOND);
  });

  test("of a window that is never asked, what has left it goes after two minutes", () => {
    const minute = new MinuteWindow();
    for (let second = 0; second < 120; second++) minute.admit(START + second * SECOND, 1);
    expect(minute.freesAt(START + 120 * SECOND, 1, "requests")).toBe(START + 60 * SECOND);
    minute.admit(START + 120 * SECOND, 1);
    expect(minute.freesAt(START + 120 * SECOND, 1, "requests")).toBe(START + 121 * SECOND);
  });

  test("several are one: their seconds add up", () => {
    const [one, other] = [new MinuteWindow(), new MinuteWindow()];
    one.admit(START, 10, 1);
    other.admit(START + 999, 5, 2);
    other.admit(START + 20 * SECOND, 7, 3);
    const both = MinuteWindow.merged([one, other]);
    expect(both.sums(START + 20 * SECOND)).toEqual({ held: 22, posted: 6, requests: 3 });
    expect(both.sums(START + 60 * SECOND)).toEqual({ held: 7, posted: 3, requests: 1 });
    expect(MinuteWindow.merged([]).sums(START)).toEqual({ held: 0, posted: 0, requests: 0 });
    // What was merged stays as it was.
    expect(one.sums(START)).toEqual({ held: 10, posted: 1, requests: 1 });
  });
});
