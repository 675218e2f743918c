import { expect, test } from "vitest";
import { keepsLast } from "../../../../client/runtime/decode/token-path.ts";
import { nodeOf } from "../../../../client/runtime/graph/tensors.ts";

const makers = new Map([
  ["less", nodeOf("Neg", "less", ["keep"], ["less"])],
  ["from", nodeOf("Unsqueeze", "from", ["less", "zero"], ["from"])],
  ["as it is", nodeOf("Unsqueeze", "as it is", ["keep", "zero"], ["as it is"])],
  ["twice", nodeOf("Neg", "twice", ["less"], ["twice"])],
  ["of another", nodeOf("Neg", "of another", ["mask"], ["of another"])],
  ["other", nodeOf("Sub", "other", ["less", "one"], ["other"])],
]);
const places = new Map([["zero", 0], ["one", 1], ["two", 2], ["rows", -2], ["far", 2 ** 31 - 1], ["farther", 2 ** 63], ["last", -1]]);
const slice = (from: string, to = "far", axis = "one", step = ""): boolean => keepsLast(nodeOf("Slice", "slice", ["hidden", from, to, axis, step], ["kept"]), makers, "keep", places);

test.each([["less"], ["from"], ["from", "farther", "rows", "one"]])("a slice from %s on leaves the last row", (from, ...rest) => {
  expect(slice(from, ...rest)).toBe(true);
});

test.each([["as it is"], ["twice"], ["of another"], ["other"], ["unknown"], ["keep"], ["zero"], ["from", "last"], ["from", "far", "two"], ["from", "far", "one", "two"], ["from", "unknown"], ["from", "far", "unknown"]])("a slice from %s, %s, %s may leave others", (from, ...rest) => {
  expect(slice(from, ...rest)).toBe(false);
});

test("without an input that says how many, none does", () => {
  expect(keepsLast(nodeOf("Slice", "slice", ["hidden", "from", "far", "one"], ["kept"]), makers, null, places)).toBe(false);
});
