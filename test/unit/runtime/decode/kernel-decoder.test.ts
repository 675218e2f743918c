/** Decoders on kernels, made up and small: whatever the pieces, the same comes out; memory is given back and made room in. */
import { describe, expect, test, vi } from "vitest";
import type { EngineOnDemand } from "../../../../client/runtime/backends/engine.ts";
import type { Decoder } from "../../../../client/runtime/decode/decoder.ts";
import { KernelFault } from "../../../../client/runtime/decode/kernel-fault.ts";
import { openDecoder } from "../../../../client/runtime/decode/open-decoder.ts";
import { ModelFiles } from "../../../../client/runtime/tasks/model-files.ts";
import { BLOCK_DECODER_CONFIG, blockDecoder, blockDecoderFile, fileOf } from "../../../support/block-decoder.ts";

const { vocab_size: VOCABULARY, max_position_embeddings: CONTEXT } = BLOCK_DECODER_CONFIG;
const noEngine: EngineOnDemand = { backend: "wasm", threads: 1, areThreadsFixed: false, start: () => Promise.reject(new Error("no engine is needed")) };
const steps = async () => undefined;
const tokens = (count: number, salt = 0): Int32Array => Int32Array.from({ length: count }, (_, at) => (at * 37 + salt) % VOCABULARY);

/** In parts that no tensor's end falls together with. */
function partsOf(bytes: Uint8Array): Uint8Array<ArrayBuffer>[] {
  const parts = [];
  for (let at = 0; at < bytes.length; at += 5000) parts.push(Uint8Array.from(bytes.subarray(at, at + 5000)));
  return parts;
}

const filesOf = (parts: readonly Uint8Array<ArrayBuffer>[], config: object = BLOCK_DECODER_CONFIG) => new ModelFiles([{ path: "config.json", parts: [new TextEncoder().encode(JSON.stringify(config))] }, { path: "model.onnx", parts }]);
const open = (memoryBytes = 1e9): Promise<Decoder> => openDecoder(filesOf(partsOf(blockDecoderFile())), noEngine, { memoryBytes }, steps);
const logitsAfter = async (decoder: Decoder, ...feeds: readonly Int32Array[]): Promise<Float32Array> => {
  let logits = new Float32Array(0);
  for (const ids of feeds) logits = Float32Array.from(await (await decoder.feed(ids, steps)).logits());
  return logits;
};
/** Sums in another order differ in their last places, and now and then in how they are rounded. */
const expectAlike = (actual: Float32Array, expected: Float32Array) => {
  const largest = Math.max(...expected.map(Math.abs));
  expect(actual).toHaveLength(VOCABULARY);
  expect(Math.max(...expected.map((logit, id) => Math.abs(logit - (actual[id] ?? NaN)))) / largest).toBeLessThan(1e-3);
};

describe("a decoder on kernels", () => {
  test.each([2, 3, 17, 64, 65, 130])("gives the same for %i tokens at once as one by one", async (count) => {
    const decoder = await open();
    const ids = tokens(count);
    const apart = await logitsAfter(decoder, ...Array.from(ids, (id) => Int32Array.of(id)));
    await decoder.truncate(0);
    expectAlike(await logitsAfter(decoder, ids), apart);
    expect(decoder.position).toBe(count);
  });

  test("keeps what was there where room is made for more", async () => {
    const decoder = await open();
    const [long, next] = [tokens(250), tokens(200, 5)];
    const small = decoder.memoryBytes;
    const expected = await logitsAfter(decoder, long, next);
    expect(decoder.memoryBytes).toBeGreaterThanOrEqual(small);
    await decoder.truncate(100);
    expectAlike(await logitsAfter(decoder, long.subarray(100), next), expected);
  });

  test("refuses a text that the browser has no memory for, and goes on with what it has", async () => {
    const decoder = await open();
    const expected = await logitsAfter(decoder, tokens(200), tokens(3, 5));
    await decoder.truncate(200);
    const grow = vi.spyOn(WebAssembly.Memory.prototype, "grow").mockImplementation(() => {
      throw new RangeError("WebAssembly.Memory.grow(): Unable to grow instance memory");
    });
    await expect(decoder.feed(tokens(250), steps)).rejects.toMatchObject({ code: "context-length-exceeded", limit: 256 });
    expect([decoder.position, decoder.contextLength]).toEqual([200, 256]);
    expectAlike(await logitsAfter(decoder, tokens(3, 5)), expected);
    grow.mockRestore();
  });

  test("goes on from a saved sequence, in another decoder too", async () => {
    const [decoder, other] = [await open(), await open()];
    await logitsAfter(decoder, tokens(300));
    const saved = await decoder.save();
    const expected = await logitsAfter(decoder, tokens(3, 9));
    await logitsAfter(other, tokens(20, 4));
    await other.restore(saved);
    expect(other.position).toBe(300);
    expectAlike(await logitsAfter(other, tokens(3, 9)), expected);
    // Two heads of 16 numbers in 16 bits, and a scale each.
    expect(new Set(saved.bytes.map(({ length }) => length))).toEqual(new Set([300 * 2 * (2 * 16 + 4)]));
    for (const type of ["float16", "float32"] as const) await expect(other.restore({ ...saved, type })).rejects.toThrow("another model");
  });

  test("refuses what doesn't fit, whole; logits are gone when it has moved on", async () => {
    const decoder = await open();
    await expect(decoder.feed(tokens(CONTEXT + 1), steps)).rejects.toThrow(`holds at most ${CONTEXT}`);
    expect(decoder.position).toBe(0);
    const next = await decoder.feed(tokens(4), steps);
    await decoder.truncate(2);
    await expect(next.greedy()).rejects.toThrow("moved on");
  });

  test("an abort between pieces leaves it whole", async () => {
    const decoder = await open();
    const ids = tokens(200);
    const expected = await logitsAfter(decoder, ids);
    await decoder.truncate(0);
    let pieces = 0;
    const aborted = decoder.feed(ids, async () => {
      if (pieces++ === 2) throw new Error("enough");
    });
    await expect(aborted).rejects.toThrow("enough");
    expect(decoder.position).toBe(128);
    expectAlike(await logitsAfter(decoder, ids.subarray(128)), expected);
  });

  test("gives the file's memory back while it opens", async () => {
    const parts = partsOf(blockDecoderFile());
    await openDecoder(filesOf(parts), noEngine, { memoryBytes: 1e9 }, steps);
    expect(parts.filter(({ byteLength }) => byteLength > 0)).toEqual([]);
  });

  test("holds fewer tokens where there is less memory, and says so; with room for hardly any it is refused", async () => {
    expect((await open()).contextLength).toBe(CONTEXT);
    const all = (await open()).memoryBytes;
    const remarks: string[] = [];
    const opened = (memoryBytes: number) => openDecoder(filesOf(partsOf(blockDecoderFile())), noEngine, { memoryBytes, onRemark: (remark) => remarks.push(remark) }, steps);
    let memoryBytes = all;
    while ((await opened(memoryBytes)).contextLength === CONTEXT) memoryBytes *= 0.9;
    const { contextLength } = await opened(memoryBytes);
    expect(contextLength).toBeGreaterThanOrEqual(64);
    expect(remarks.at(-1)).toBe(`Memory for ${contextLength} tokens of ${CONTEXT}`);
    await expect(opened(1000)).rejects.toMatchObject({ code: "variant-unsupported" });
  });

  test("has the logits that its graph makes, whatever its config says of the vocabulary", async () => {
    const { graph, ...model } = blockDecoder();
    const unstated = { ...model, graph: { ...graph, outputs: graph.outputs.map((output) => (output.name === "logits" && output.tensor ? { ...output, tensor: { ...output.tensor, shape: ["batch", "s", "v"] } } : output)) } };
    const config = { ...BLOCK_DECODER_CONFIG, vocab_size: VOCABULARY + 40 };
    const decoder = await openDecoder(filesOf(partsOf(fileOf(unstated)), config), noEngine, { memoryBytes: 1e9 }, steps);
    expect(decoder.vocabulary).toBe(VOCABULARY);
    expect(await (await decoder.feed(tokens(4), steps)).logits()).toHaveLength(VOCABULARY);
  });

  test.each([121, 122, 127])("has a vocabulary of any length: %i", async (vocabulary) => {
    const [whole, cut] = [await open(), await openDecoder(filesOf(partsOf(blockDecoderFile({ vocabulary })), { ...BLOCK_DECODER_CONFIG, vocab_size: vocabulary }), noEngine, { memoryBytes: 1e9 }, steps)];
    expect(cut.description).toContain("; kernels; ");
    const ids = tokens(20).map((id) => id % vocabulary);
    for (const feed of [ids, ids.subarray(0, 1)]) {
      const [expected, next] = [await logitsAfter(whole, feed), await cut.feed(feed, steps)];
      const logits = await next.logits();
      expect([...logits]).toEqual([...expected.subarray(0, vocabulary)]);
      expect(await next.greedy()).toBe(logits.indexOf(Math.max(...logits)));
    }
  });

  test("that misses its self-test is a fault of the kernels, and not of a model that is opened without them", async () => {
    const decoder = await open();
    const first = await (await decoder.feed(tokens(5), steps)).greedy();
    const opened = (id: number) => openDecoder(filesOf(partsOf(blockDecoderFile())), noEngine, { memoryBytes: 1e9, selfTest: { kind: "tokens", input_ids: [...tokens(5)], output_ids: [id] } }, steps);
    await expect(opened((first + 1) % VOCABULARY)).rejects.toThrow(KernelFault);
    await expect(opened((first + 1) % VOCABULARY)).rejects.toMatchObject({ code: "backend-unavailable", message: expect.stringContaining("at place 1 of 1") as string });
    expect((await opened(first)).position).toBe(0);
  });
});
