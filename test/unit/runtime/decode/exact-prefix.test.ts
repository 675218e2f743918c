/** What is kept of a prompt, with kernels that compute it: what a seed's answer begins from is the same to the last bit. */
import { expect, it } from "vitest";
import type { EngineOnDemand } from "../../../../client/runtime/backends/engine.ts";
import { openDecoder } from "../../../../client/runtime/decode/open-decoder.ts";
import { Sequence } from "../../../../client/runtime/generate/sequence.ts";
import { ModelFiles } from "../../../../client/runtime/tasks/model-files.ts";
import { BLOCK_DECODER_CONFIG, blockDecoderFile } from "../../../support/block-decoder.ts";

const noEngine: EngineOnDemand = { backend: "wasm", threads: 1, areThreadsFixed: true, start: () => Promise.reject(new Error("no engine is needed")) };
const step = async () => undefined;
const tokens = (count: number, salt = 0): number[] => Array.from({ length: count }, (_, at) => (at * 37 + salt) % BLOCK_DECODER_CONFIG.vocab_size);

async function made(): Promise<Sequence> {
  const config = new TextEncoder().encode(JSON.stringify(BLOCK_DECODER_CONFIG));
  const files = new ModelFiles([{ path: "config.json", parts: [config] }, { path: "model.onnx", parts: [Uint8Array.from(blockDecoderFile())] }]);
  return new Sequence(await openDecoder(files, noEngine, { memoryBytes: 1e9 }, step));
}

const after = async (sequence: Sequence, prompt: readonly number[], isExact: boolean) => {
  const { next, cachedTokens } = await sequence.prefill(prompt, step, isExact);
  return { logits: Array.from(await next.logits()), cachedTokens };
};

it("is exact where that is asked for, whatever was there before", async () => {
  const sequence = await made();
  for (const length of [3, 64, 65, 150]) {
    const prompt = tokens(length);
    const { logits } = await after(await made(), prompt, true);
    for (const other of [prompt, prompt.slice(0, length >> 1), [...prompt, 5, 6], tokens(70, 9), prompt.slice(0, 2)]) {
      await sequence.prefill(other, step);
      await sequence.feed([7], step);
      expect((await after(sequence, prompt, true)).logits).toEqual(logits);
    }
  }
});

it("keeps whole pieces that were exact, through another conversation too", async () => {
  const sequence = await made();
  const prompt = tokens(150);
  expect((await after(sequence, prompt, true)).cachedTokens).toBe(0);
  expect((await after(sequence, prompt, true)).cachedTokens).toBe(128);
  await sequence.feed([7], step);
  await sequence.prefill(tokens(90, 9), step);
  expect((await after(sequence, prompt, true)).cachedTokens).toBe(128);
  expect((await after(sequence, prompt, false)).cachedTokens).toBe(149);
});
