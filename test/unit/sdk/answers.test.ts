import { expect, it } from "vitest";
import { retryAfterSeconds } from "../../../client/sdk/answers.ts";

const NOW = Date.parse("2026-11-22T10:00:00Z");

it.each([
  [null, undefined],
  ["0", 0],
  ["120", 120],
  [" 30 ", 30],
  ["Sun, 22 Nov 2026 10:00:30 GMT", 30],
  ["Sun, 22 Nov 2026 09:00:00 GMT", 0],
  ["soon", undefined],
  ["", undefined],
])("reads Retry-After %j as %s seconds", (header, seconds) => {
  expect(retryAfterSeconds(header, NOW)).toBe(seconds);
});
