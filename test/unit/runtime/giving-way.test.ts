import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GivingWay, restAfter } from "../../../client/runtime/giving-way.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What comes of a load of `pieces`, each of so many milliseconds, on a clock of its own. */
async function loadOf(pieces: readonly number[], givingWay: GivingWay): Promise<number> {
  const began = performance.now();
  givingWay.begin();
  for (const ms of pieces) {
    await vi.advanceTimersByTimeAsync(ms); // the work
    const rested = givingWay.rest();
    await vi.runAllTimersAsync();
    await rested;
  }
  return performance.now() - began;
}

test.each([
  [40, false, 0],
  [40, true, 200],
  [0, true, 0],
  [5000, true, 1000],
])("after %i ms of work, calls under way: %s, a load rests for %i ms", (workMs, areCallsUnderWay, restMs) => {
  expect(restAfter(workMs, areCallsUnderWay)).toBe(restMs);
});

test("a load beside which nothing runs takes its own time, and beside calls six times as long", async () => {
  const givingWay = new GivingWay();
  expect(await loadOf([20, 20, 20], givingWay)).toBe(60);
  givingWay.hear(true);
  expect(await loadOf([20, 20, 20], givingWay)).toBe(360);
});

test("the end of the last call ends the rest", async () => {
  const givingWay = new GivingWay();
  givingWay.hear(true);
  await vi.advanceTimersByTimeAsync(100);
  const rested = vi.fn();
  void givingWay.rest().then(rested);
  await vi.advanceTimersByTimeAsync(300);
  expect(rested).not.toHaveBeenCalled();
  givingWay.hear(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(rested).toHaveBeenCalled();
});

test("waiting is not taken for work", async () => {
  const givingWay = new GivingWay();
  givingWay.hear(true);
  await vi.advanceTimersByTimeAsync(10_000);
  givingWay.begin();
  expect(await loadOf([10], givingWay)).toBe(60);
});

test("pieces that were asked for together come one at a time beside calls, each after the rest for the one before", async () => {
  const givingWay = new GivingWay();
  const begun: number[] = [];
  const from = performance.now();
  const piece = () => {
    begun.push(performance.now() - from);
    return new Promise<void>((resolve) => setTimeout(resolve, 10));
  };
  const three = () => Promise.all([1, 2, 3].map(() => givingWay.piece(piece)));

  const free = three();
  await vi.runAllTimersAsync();
  await free;
  expect(begun.splice(0)).toEqual([0, 0, 0]);

  givingWay.hear(true);
  const beside = three();
  await vi.runAllTimersAsync();
  await beside;
  expect(begun.map((at) => at - 10)).toEqual([0, 60, 120]);
});

test("a piece that fails is the asker's failure, and those behind it come", async () => {
  const givingWay = new GivingWay();
  givingWay.hear(true);
  const failed = givingWay.piece(() => Promise.reject(new Error("no")));
  const next = givingWay.piece(async () => "done");
  await expect(failed).rejects.toThrow("no");
  await vi.runAllTimersAsync();
  expect(await next).toBe("done");
});
