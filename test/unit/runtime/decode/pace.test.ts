import { expect, test } from "vitest";
import { learningPace, type Pace } from "../../../../client/runtime/decode/kernel/pace.ts";

type Times = Readonly<Record<number, number>>;

/** How many of `tokens` went with `threads`, where each count takes so long; `spike`: a factor for the token at hand. */
function gone(pace: Pace, tokens: number, times: Times, threads: number, spike: (token: number) => number = () => 1): number {
  let found = 0;
  for (let token = 0; token < tokens; token++) {
    const count = pace.next();
    if (count === threads) found++;
    pace.took(count, (times[count] ?? NaN) * spike(token));
  }
  return found;
}

const average = (pace: Pace, tokens: number, times: Times): number => {
  let sum = 0;
  for (let token = 0; token < tokens; token++) {
    const count = pace.next();
    sum += times[count] ?? NaN;
    pace.took(count, times[count] ?? NaN);
  }
  return sum / tokens;
};

test.each<[string, Times, number]>([
  ["free cores", { 4: 6, 3: 7, 2: 9, 1: 16 }, 4],
  ["one core taken", { 4: 30, 3: 7, 2: 9, 1: 16 }, 3],
  ["two fast cores and two slow ones", { 4: 12, 3: 11, 2: 8, 1: 15 }, 2],
  ["all cores taken", { 4: 40, 3: 35, 2: 30, 1: 16 }, 1],
])("%s: the soonest is gone, and the others tried now and then", (_, times, best) => {
  const pace = learningPace(4);
  expect(gone(pace, 300, times, best)).toBeGreaterThan(270);
  expect(pace.best).toBe(best);
  expect(gone(pace, 300, times, best)).toBeLessThan(300);
});

test("it changes within a few tokens when the cores are taken, and back when they are free again", () => {
  const pace = learningPace(2);
  gone(pace, 200, { 2: 10, 1: 18 }, 2);
  expect(gone(pace, 200, { 2: 90, 1: 18 }, 2)).toBeLessThan(12);
  gone(pace, 80, { 2: 10, 1: 18 }, 2);
  expect(gone(pace, 200, { 2: 10, 1: 18 }, 2)).toBeGreaterThan(190);
});

test("single tokens that take long change nothing", () => {
  const pace = learningPace(2);
  gone(pace, 20, { 2: 10, 1: 18 }, 2);
  expect(gone(pace, 200, { 2: 10, 1: 18 }, 2, (token) => (token % 7 === 0 ? 20 : 1))).toBeGreaterThan(185);
});

test("learning costs little: three hundred tokens are hardly slower than with all threads, whatever the others take", () => {
  expect(average(learningPace(4), 300, { 4: 6, 3: 7, 2: 10, 1: 18 })).toBeLessThan(6 * 1.06);
  expect(average(learningPace(2), 300, { 2: 10, 1: 19 })).toBeLessThan(10 * 1.04);
});

test("one thread has no choice", () => {
  expect(gone(learningPace(1), 100, { 1: 10 }, 1)).toBe(100);
});
