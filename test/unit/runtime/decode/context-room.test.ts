import { expect, test } from "vitest";
import { fittingContext } from "../../../../client/runtime/decode/context-room.ts";

const model = { longest: 2048, tokenBytes: 50_000, fixedBytes: 300e6 };

test("a text may be as long as the model takes, or as memory holds beside the model", () => {
  expect(fittingContext({ ...model, memoryBytes: 1e9 })).toBe(2048);
  expect(fittingContext({ ...model, memoryBytes: 350e6 })).toBe(1000);
  expect(fittingContext({ ...model, memoryBytes: 303.2e6 })).toBe(64);
  expect(fittingContext({ ...model, longest: 16, memoryBytes: 300.8e6 })).toBe(16);
});

test("a model with room for hardly any text, or larger than its memory, is refused with both sizes", () => {
  const refused = (memoryBytes: number) => {
    try {
      return fittingContext({ ...model, memoryBytes });
    } catch (error) {
      return error;
    }
  };
  expect(refused(303.1e6)).toMatchObject({ code: "variant-unsupported", message: expect.stringMatching(/takes 304 MB, and it may take 304 MB/) as string });
  expect(refused(100e6)).toMatchObject({ code: "variant-unsupported", message: expect.stringMatching(/takes 304 MB, and it may take 100 MB/) as string });
});
