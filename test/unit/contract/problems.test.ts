import { expect, test } from "vitest";
import { PROBLEMS, PROBLEM_CODES } from "../../../schema/contract/problems.ts";

test.each(PROBLEM_CODES)("%s has a status and a title, and a 429 or 503 says when to come again", (code) => {
  const shape = PROBLEMS[code];
  expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
  expect(shape.status).toBeGreaterThanOrEqual(400);
  expect(shape.status === 503 || shape.status < 500).toBe(true);
  expect(shape.title).not.toBe("");
  expect("retry" in shape).toBe(shape.status === 429 || shape.status === 503);
});

test("the codes that clients build on keep their names", () => {
  const named = [
    "invalid-request", "unauthorized", "forbidden", "origin-not-allowed", "not-found", "conflict", "idempotency-key-reused", "tenant-disabled", "model-not-available",
    "daily-quota-exceeded", "monthly-quota-exceeded", "tokens-per-minute-exceeded", "requests-per-minute-exceeded", "concurrent-leases-exceeded", "user-quota-exceeded",
    "spend-limit-exceeded", "storage-quota-exceeded", "egress-quota-exceeded", "model-quota-exceeded", "lease-expired", "lease-settled", "lease-revoked", "usage-exceeds-hold",
    "payload-too-large", "range-not-satisfiable", "unavailable",
  ];
  expect(PROBLEM_CODES).toEqual(expect.arrayContaining(named));
});
