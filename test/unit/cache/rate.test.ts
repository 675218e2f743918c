import { expect, it } from "vitest";
import { Rate } from "../../../client/cache/rate.ts";

it("says nothing at first, then the mean of the last seconds, and falls when nothing comes", () => {
  const rate = new Rate();
  expect(rate.bytesPerSecond(0)).toBeNull();
  rate.add(0, 0);
  rate.add(1000, 100);
  expect(rate.bytesPerSecond(100)).toBeNull();
  for (let at = 200; at <= 6000; at += 100) rate.add(1000, at);
  expect(rate.bytesPerSecond(6000)).toBe(10_000);
  expect(rate.bytesPerSecond(8000)).toBe(5000);
  expect(rate.bytesPerSecond(20_000)).toBe(0);
});
