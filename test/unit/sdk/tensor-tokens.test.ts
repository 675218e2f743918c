import { expect, it } from "vitest";
import type { RawTensor } from "../../../client/runtime/tasks/raw/tensors.ts";
import { tensorTokens } from "../../../client/sdk/text/tensor-tokens.ts";

const ids = (count: number): RawTensor => ({ type: "int64", dims: [1, count], data: new BigInt64Array(count) });
const picture = (...dims: number[]): RawTensor => ({ type: "float32", dims, data: new Float32Array(0) });

it("counts the numbers of ids, or pictures of their sizes, or nothing where a run has its price", () => {
  expect(tensorTokens({ measure: "text-tokens" }, { input_ids: ids(7), attention_mask: ids(7), decoder_input_ids: ids(2) })).toBe(9);
  expect(tensorTokens({ measure: "image-tokens" }, { pixel_values: picture(2, 3, 30, 50) })).toBe(2 * 2);
  expect(tensorTokens({ measure: "per-run", tokens: 5 }, {})).toBeNull();
});

it.each<[string, "text-tokens" | "image-tokens", unknown]>([
  ["texts without ids", "text-tokens", { inputs_embeds: picture(1, 7, 64) }],
  ["ids that are none", "text-tokens", { input_ids: ids(0) }],
  ["ids of no length", "text-tokens", { input_ids: { type: "int64", dims: [1], data: { length: 0.5 } } }],
  ["no inputs", "text-tokens", undefined],
  ["an input that is none", "image-tokens", { pixel_values: null }],
  ["pictures without a size", "image-tokens", { pixel_values: picture(3, 224) }],
  ["pictures of no size", "image-tokens", { pixel_values: picture(1, 3, 0, 224) }],
  ["pictures of half a size", "image-tokens", { pixel_values: picture(1, 3, 0.5, 224) }],
])("refuses %s, which would cost nothing", (_, measure, inputs) => {
  expect(() => tensorTokens({ measure }, inputs as never)).toThrow(expect.objectContaining({ code: "invalid-request" }));
});
