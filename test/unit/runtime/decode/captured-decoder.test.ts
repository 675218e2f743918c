import { expect, test } from "vitest";
import { capacityFor, mostInOneBuffer } from "../../../../client/runtime/decode/captured-decoder.ts";
import type { DecoderIo } from "../../../../client/runtime/decode/decoder-io.ts";
import { sound } from "../../../../client/runtime/decode/logits.ts";

test.each([
  [0, 8192, undefined, 1024],
  [1024, 8192, undefined, 1024],
  [1025, 8192, undefined, 4096],
  [4097, 131_072, undefined, 16_384],
  [4097, 8192, undefined, 8192],
  [0, 300, undefined, 300],
  [49, 200, 48, 192],
])("%i tokens of at most %i, with %s at first, get room for %i", (tokens, limit, first, capacity) => {
  expect(capacityFor(tokens, limit, first)).toBe(capacity);
});

test("one buffer has the keys of as many tokens as the device binds", () => {
  const io = { kvType: "float16", kv: [{ past: "k", present: "p", heads: 8, headSize: 64 }, { past: "v", present: "w", heads: 8, headSize: 128 }] } as unknown as DecoderIo;
  expect(mostInOneBuffer(io, { maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 2 ** 27 })).toBe(65_536);
  expect(mostInOneBuffer(io, { maxBufferSize: 2 ** 26, maxStorageBufferBindingSize: 2 ** 27 })).toBe(32_768);
});

test.each([
  ["the likeliest is no number", { ids: [3], logits: [NaN], logSumExp: 5 }],
  ["the likeliest is without bound", { ids: [3], logits: [Infinity], logSumExp: Infinity }],
  ["all have no chance", { ids: [3], logits: [-Infinity], logSumExp: -Infinity }],
  ["one of the others is no number", { ids: [3], logits: [1], logSumExp: NaN }],
  ["a token that there isn't", { ids: [-1], logits: [1], logSumExp: 2 }],
  ["another token that there isn't", { ids: [10], logits: [1], logSumExp: 2 }],
  ["none", { ids: [], logits: [], logSumExp: 2 }],
])("what was picked is an error where %s", (_, { ids, logits, logSumExp }) => {
  expect(() => sound({ ids: Int32Array.from(ids), logits: Float32Array.from(logits), logSumExp }, 10)).toThrow("no numbers");
});

test("what was picked is given on where the weight of all is too large for 16 bits", () => {
  const picked = { ids: Int32Array.of(9, 1), logits: Float32Array.of(12, -Infinity), logSumExp: Infinity };
  expect(sound(picked, 10)).toBe(picked);
});
