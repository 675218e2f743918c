import { expect, it } from "vitest";
import { linesOf, textOf } from "../../../client/embed/text-lines.ts";
import type { OcrBlock } from "../../../client/runtime/host.ts";

const block = (text: string, line: number, confidence = 0.9): OcrBlock => ({
  text,
  line,
  confidence,
  box: [{ x: 0, y: 0 }, { x: 1, y: 0 }, { x: 1, y: 1 }, { x: 0, y: 1 }],
});

it("puts the blocks of one line of the page on one line of text", () => {
  const blocks = [block("BAKERY", 0), block("Loaf", 1), block("4.50", 1, 0.4), block("Thank you", 2)];
  expect(textOf(blocks)).toBe("BAKERY\nLoaf 4.50\nThank you");
  expect(linesOf(blocks).map(({ confidence }) => confidence)).toEqual([0.9, 0.4, 0.9]);
});

it("has no line for no block", () => {
  expect(linesOf([])).toEqual([]);
  expect(textOf([])).toBe("");
});
