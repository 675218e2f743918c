import { describe, expect, test } from "vitest";
import { decodeLine, parseDictionary } from "../../../client/runtime/tasks/ocr/ctc.ts";

const DICTIONARY = parseDictionary("a\nb\n中\n（");
const BLANK = 0;
const SPACE = DICTIONARY.length - 1;

/** One step a class, at this probability; `hint` is the space's share of a blank step. */
function steps(classes: readonly (number | { hint: number })[], probability = 0.9): Float32Array {
  const tensor = new Float32Array(classes.length * DICTIONARY.length);
  classes.forEach((entry, step) => {
    const at = step * DICTIONARY.length;
    if (typeof entry === "number") tensor[at + entry] = probability;
    else {
      tensor[at + BLANK] = probability;
      tensor[at + SPACE] = entry.hint;
    }
  });
  return tensor;
}

const read = (classes: readonly (number | { hint: number })[], probability?: number) => decodeLine(steps(classes, probability), 0, classes.length, DICTIONARY);

describe("the dictionary", () => {
  test("gets the blank before and the space after", () => {
    expect(DICTIONARY).toEqual(["", "a", "b", "中", "（", " "]);
  });

  test.each([
    ["a trailing newline", "a\nb\n", ["", "a", "b", " "]],
    ["Windows line ends and a byte order mark", "\uFEFFa\r\nb\r\n", ["", "a", "b", " "]],
    ["a line that is a wide blank", "a\n\u3000\nb", ["", "a", "\u3000", "b", " "]],
  ])("%s is read right", (_, file, classes) => {
    expect(parseDictionary(file)).toEqual(classes);
  });
});

describe("greedy CTC", () => {
  test("a character over several steps counts once, two apart by a blank count twice", () => {
    expect(read([1, 1, 0, 1, 2, 2]).text).toBe("aab");
  });

  test("confidence is the mean over the characters kept", () => {
    expect(read([1, 1, 2], 0.8).confidence).toBeCloseTo(0.8, 6);
  });

  test("blanks alone are an empty text without confidence", () => {
    expect(read([0, 0, 0])).toEqual({ text: "", confidence: 0 });
  });

  test("each row of a batch is its own line", () => {
    const batch = new Float32Array([...steps([1, 0]), ...steps([2, 2])]);
    expect(decodeLine(batch, 0, 2, DICTIONARY).text).toBe("a");
    expect(decodeLine(batch, 1, 2, DICTIONARY).text).toBe("b");
  });

  test("a space counts, but not at either end, nor twice", () => {
    expect(read([SPACE, 1, SPACE, 0, SPACE, 2, SPACE]).text).toBe("a b");
  });

  test("a space that nearly won in a gap is one", () => {
    expect(read([1, { hint: 0.06 }, 2]).text).toBe("a b");
    expect(read([1, { hint: 0.04 }, 2]).text).toBe("ab");
  });

  test("such a hint makes no space before the first character, nor next to a Chinese one", () => {
    expect(read([{ hint: 0.2 }, 1]).text).toBe("a");
    expect(read([3, { hint: 0.2 }, 1]).text).toBe("中a");
  });

  test("a full-width form is a plain one in a line without Chinese", () => {
    expect(read([4, 1]).text).toBe("(a");
    expect(read([4, 3]).text).toBe("（中");
  });
});
