import { describe, expect, it } from "vitest";
import { isLeaseGranted, isLeaseState, isManifest, isProblem } from "../../../client/sdk/shapes.ts";
import { PROBLEM_CODES } from "../../../schema/contract/problems.ts";
import { granted, published, refusal, settled } from "./examples.ts";

const SHAPES = [
  { name: "a grant", is: isLeaseGranted, good: granted() as object, needed: ["lease_id", "lease", "expires_at", "hold", "model", "quota"] },
  { name: "a lease's state", is: isLeaseState, good: settled(5) as object, needed: ["lease_id", "state", "used", "remaining"] },
  { name: "a manifest", is: isManifest, good: published() as object, needed: ["schema", "tenant", "model", "revision", "task", "usage", "variants"] },
  { name: "a problem", is: isProblem, good: refusal("not-found") as object, needed: ["code", "detail"] },
];

describe.each(SHAPES)("$name", ({ is, good, needed }) => {
  it("is taken as the contract writes it, also with fields that this client does not know", () => {
    expect(is(good)).toBe(true);
    expect(is({ ...good, from_the_future: 1 })).toBe(true);
  });

  it.each(needed)("is refused without %s, and with another type there", (field) => {
    const { [field]: _, ...rest } = good as Record<string, unknown>;
    expect(is(rest)).toBe(false);
    expect(is({ ...rest, [field]: Symbol("another type") })).toBe(false);
  });

  it.each([null, undefined, "text", 7, [], {}])("is not %j", (value) => {
    expect(is(value)).toBe(false);
  });
});

it("knows every code of the contract", () => {
  for (const code of PROBLEM_CODES) expect(isProblem(refusal(code))).toBe(true);
  expect(isProblem({ ...refusal("not-found"), code: "made-up" })).toBe(false);
  expect(isProblem({ ...refusal("not-found"), code: "toString" })).toBe(false);
});

it.each([-1, 0.5, "7", null, Number.NaN, 2 ** 53])("takes no amount of %s", (hold) => {
  expect(isLeaseGranted({ ...granted(), hold })).toBe(false);
});
