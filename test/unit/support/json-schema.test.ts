/** The fuzz's own judge: it finds what it is there to find, and its values fit what they are drawn from. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Schema, type Schemas, faultsOf, valuesOf } from "../../support/json-schema.ts";

const SCHEMAS: Schemas = {
  Money: { type: "object", properties: { currency: { type: "string", enum: ["USD"] }, nanos: { type: "integer", minimum: 0 } }, required: ["currency", "nanos"] },
  Item: {
    type: "object",
    properties: {
      id: { type: "string", pattern: "^key_[0-9a-z]{4}$" },
      at: { type: ["string", "null"], format: "date-time" },
      cost: { $ref: "#/components/schemas/Money" },
      tags: { type: "array", items: { type: "string" }, maxItems: 3 },
      labels: { type: "object", additionalProperties: { type: "string", maxLength: 3 } },
    },
    required: ["id", "cost"],
  },
};
const ITEM: Schema = { $ref: "#/components/schemas/Item" };
const RIGHT = { id: "key_0a1b", at: "2026-11-22T00:00:00Z", cost: { currency: "USD", nanos: 5 }, tags: ["x"], labels: { a: "b" } };

test("what fits has no fault", () => {
  expect(faultsOf(RIGHT, ITEM, SCHEMAS)).toEqual([]);
  expect(faultsOf({ id: "key_0a1b", cost: { currency: "USD", nanos: 0 }, at: null }, ITEM, SCHEMAS)).toEqual([]);
});

test.each<[string, unknown, RegExp]>([
  ["a property that is not documented", { ...RIGHT, secret: "x" }, /\$\.secret is not documented/],
  ["a property that is missing", { id: "key_0a1b" }, /\$\.cost is missing/],
  ["another type", { ...RIGHT, tags: "x" }, /\$\.tags is string/],
  ["null where it may not be", { ...RIGHT, cost: null }, /\$\.cost is null/],
  ["a number that is no integer", { ...RIGHT, cost: { currency: "USD", nanos: 0.5 } }, /\$\.cost\.nanos is number/],
  ["a number out of range", { ...RIGHT, cost: { currency: "USD", nanos: -1 } }, /out of range/],
  ["a text outside of its pattern", { ...RIGHT, id: "key_!" }, /does not match/],
  ["an unknown word", { ...RIGHT, cost: { currency: "EUR", nanos: 1 } }, /none of/],
  ["a time that is none", { ...RIGHT, at: "yesterday" }, /no date-time/],
  ["too many items", { ...RIGHT, tags: ["a", "b", "c", "d"] }, /has 4 items/],
  ["a value of a map", { ...RIGHT, labels: { a: "long" } }, /has 4 characters/],
])("%s is found", (_, value, wanted) => {
  expect(faultsOf(value, ITEM, SCHEMAS).join("\n")).toMatch(wanted);
});

test("a keyword that the judge does not know is no silent pass", () => {
  expect(() => faultsOf({}, { type: "object", minProperties: 1 }, SCHEMAS)).toThrow(/minProperties/);
});

test("the values drawn from a schema fit it", () => {
  fc.assert(fc.property(valuesOf(ITEM, SCHEMAS), (value) => {
    expect(faultsOf(value, ITEM, SCHEMAS)).toEqual([]);
  }));
});
