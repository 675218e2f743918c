import { describe, expect, test } from "vitest";
import { corners } from "../../../client/runtime/tasks/ocr/geometry.ts";
import { orderLines, type Placed } from "../../../client/runtime/tasks/ocr/order.ts";

const readingText = (blocks: readonly (Placed & { text: string })[]): string =>
  orderLines(blocks)
    .map((line) => line.map(({ text }) => text).join(" "))
    .join("\n");

/** A page of two columns, five lines; the boxes jitter a little. */
function page(degrees: number) {
  const angle = (degrees * Math.PI) / 180;
  const words = ["one", "1.00", "two", "2.00", "three", "3.00", "four", "4.00", "five", "5.00"];
  const blocks = words.map((text, index) => {
    const x = (index % 2) * 600 - 300;
    const y = Math.floor(index / 2) * 40 - 80 + (index % 3) * 3;
    return {
      text,
      box: corners({ cx: x * Math.cos(angle) - y * Math.sin(angle), cy: x * Math.sin(angle) + y * Math.cos(angle), width: 100, height: 30, angle }),
    };
  });
  return blocks.toSorted((a, b) => a.text.localeCompare(b.text));
}

describe("reading order", () => {
  test.each([0, 4, -12, 90, 180, -90])("of a page turned by %i°", (degrees) => {
    expect(readingText(page(degrees))).toBe("one 1.00\ntwo 2.00\nthree 3.00\nfour 4.00\nfive 5.00");
  });

  test("of no text is nothing", () => {
    expect(orderLines([])).toEqual([]);
    expect(readingText([])).toBe("");
  });

  test("keeps a large heading apart from the small line under it", () => {
    const heading = { text: "BIG", box: corners({ cx: 100, cy: 40, width: 200, height: 60, angle: 0 }) };
    const small = { text: "small", box: corners({ cx: 300, cy: 75, width: 60, height: 14, angle: 0 }) };
    expect(readingText([small, heading])).toBe("BIG\nsmall");
  });
});
