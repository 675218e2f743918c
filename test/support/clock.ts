/**
 * Time in the tests' hands: `Date` stands still where it is set, for the test, the Worker and the tenant object alike
 * (they share one isolate). Timers stay real. Ends by itself after each test.
 */
import { afterEach, vi } from "vitest";

export function clock() {
  afterEach(() => {
    vi.useRealTimers();
  });
  const set = (at: string | number) => {
    vi.useFakeTimers({ toFake: ["Date"], now: typeof at === "string" ? Date.parse(at) : at });
  };
  return {
    set,
    advance: (ms: number) => set(Date.now() + ms),
  };
}
