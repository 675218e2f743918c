import { expect, test } from "vitest";
import { PROBLEMS, PROBLEM_CODES } from "../../../schema/contract/problems.ts";
import { ACCESS } from "../../../worker/http/access.ts";
import { refusalAnswers, refusalsOf } from "../../../worker/http/refusals.ts";

const ways = Object.keys(ACCESS) as (keyof typeof ACCESS)[];
const asked = { parameters: [{ name: "idempotency-key", in: "header" }], requestBody: {} };

test("every code belongs to a way in, but that of a method that is not there", () => {
  const listed = new Set(ways.flatMap((way) => refusalsOf(way, asked)));
  expect(PROBLEM_CODES.filter((code) => !listed.has(code))).toEqual(["method-not-allowed"]);
});

test("a way without a credential is refused for none; every other says so", () => {
  for (const way of ways) expect(refusalsOf(way, {}).includes("unauthorized")).toBe(ACCESS[way][0] !== "anyone");
});

test("what is asked tells what can be wrong with it", () => {
  expect(refusalsOf("GET /v1/tenants/{t}/policy", {})).not.toContain("unsupported-media-type");
  expect(refusalsOf("PUT /v1/tenants/{t}/policy", { requestBody: {} })).toContain("unsupported-media-type");
  expect(refusalsOf("PUT /v1/tenants/{t}/blobs/{sha256}", { requestBody: {} })).not.toContain("unsupported-media-type");
  expect(refusalsOf("POST /v1/leases", asked)).toContain("idempotency-key-reused");
  expect(refusalsOf("POST /v1/leases", {})).not.toContain("idempotency-key-reused");
});

test("answers stand under the status of their codes, with the fields that come with it", () => {
  const answers = refusalAnswers(["unauthorized", "daily-quota-exceeded", "spend-limit-exceeded", "not-found"]) as Record<string, { "x-codes": string[]; headers?: object }>;
  expect(Object.keys(answers)).toEqual(["401", "404", "429"]);
  expect(answers[429]?.["x-codes"]).toEqual(["daily-quota-exceeded", "spend-limit-exceeded"]);
  expect(Object.keys(answers[429]?.headers ?? {})).toEqual(["Retry-After", "RateLimit", "RateLimit-Policy"]);
  expect(answers[404]?.headers).toBeUndefined();
  for (const [status, { "x-codes": codes }] of Object.entries(answers)) for (const code of codes) expect(PROBLEMS[code as keyof typeof PROBLEMS].status).toBe(Number(status));
});
