import { expect, test } from "vitest";
import { RefusalGate } from "../../../worker/leases/gate.ts";
import type { Refusal } from "../../../worker/ledger/result.ts";

const refusal: Refusal = { code: "requests-per-minute-exceeded", detail: "", resetsAt: 60_000, holdUntil: 1_000 };

test("a caller is told the same until then, and counted; others are not held", () => {
  const gate = new RefusalGate();
  expect(gate.refusalFor("a", 0)).toBeNull();
  expect(gate.hold("a", refusal, 1_000, 0)).toBe(true);
  expect(gate.refusalFor("a", 1)).toBe(refusal);
  expect(gate.refusalFor("a", 999)).toBe(refusal);
  expect(gate.refusalFor("b", 1)).toBeNull();
  expect(gate.refusalFor("a", 1_000)).toBeNull();
  expect(gate.release("a")).toBe(2);
  expect(gate.release("a")).toBe(0);
  expect(gate.refusalFor("a", 1)).toBeNull();
});

test("of answers that were under way together the first holds, and its count alone is to be handed over", () => {
  const gate = new RefusalGate();
  expect(gate.hold("a", refusal, 1_000, 0)).toBe(true);
  gate.refusalFor("a", 1);
  expect(gate.hold("a", refusal, 2_000, 2)).toBe(false);
  expect(gate.refusalFor("a", 1_000)).toBeNull();
  // Its hold is over, and nobody came for the count: the next one takes it along.
  expect(gate.hold("a", refusal, 2_000, 1_000)).toBe(true);
  gate.refusalFor("a", 1_500);
  expect(gate.release("a")).toBe(2);
});

test("it holds ten thousand at most", () => {
  const gate = new RefusalGate();
  for (let i = 0; i < 10_000; i++) expect(gate.hold(`caller-${i}`, refusal, 1_000, 0)).toBe(true);
  expect(gate.hold("one more", refusal, 1_000, 0)).toBe(false);
  expect(gate.refusalFor("one more", 1)).toBeNull();
  gate.release("caller-7");
  expect(gate.hold("one more", refusal, 1_000, 0)).toBe(true);
});
