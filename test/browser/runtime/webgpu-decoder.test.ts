/** A made-up decoder on WebGPU: texts that outgrow the room there is at first, and logits that are no numbers. */
import { expect, test } from "vitest";
import { loadRuntime } from "../../../client/runtime/host.ts";
import { ORT_PATH } from "../../../client/runtime/ort-files.ts";
import type { GenerateInput } from "../../../client/runtime/tasks/text-generation/request.ts";
import { BLOCK_DECODER_CONFIG, blockDecoderFile, type BlockDecoderShape } from "../../support/block-decoder.ts";
import { byteLevelTokenizer } from "../../support/small-tokenizers.ts";
import { startDecoderWorker } from "../../support/workers/ask-worker.ts";

const SLOW = 180_000;
const { vocab_size: VOCABULARY } = BLOCK_DECODER_CONFIG;
const tokens = (count: number, salt = 0): number[] => Array.from({ length: count }, (_, at) => (at * 37 + salt) % VOCABULARY);
const filesOf = (shape: BlockDecoderShape) => {
  const { file, config } = byteLevelTokenizer();
  const json = { "config.json": { ...BLOCK_DECODER_CONFIG, max_position_embeddings: shape.context ?? BLOCK_DECODER_CONFIG.max_position_embeddings }, "tokenizer.json": file, "tokenizer_config.json": config };
  return [...Object.entries(json).map(([path, content]) => ({ path, blob: new Blob([JSON.stringify(content)]) })), { path: "model.onnx", blob: new Blob([blockDecoderFile(shape)]) }];
};

test("a text outgrows its buffers: what was computed moves, and goes on to be played back", { timeout: SLOW }, async () => {
  const CONTEXT = 2000;
  const [gpu, cpu] = [startDecoderWorker(), startDecoderWorker()];
  const open = { kind: "open", files: filesOf({ context: CONTEXT }), threads: 1, ortBase: new URL(ORT_PATH, location.origin).href, options: { memoryBytes: 1e9 } } as const;
  const [opened] = await Promise.all([gpu.ask({ ...open, backend: "webgpu" }), cpu.ask({ ...open, backend: "wasm" })]);
  expect(opened.description).toMatch(/WebGPU, recorded$/);
  expect(opened.contextLength).toBe(CONTEXT);
  const feeds = [tokens(1010), ...tokens(20, 9).map((id) => [id]), tokens(70, 4), [5], [6]];
  for (const ids of feeds) {
    const [{ logits = new Float32Array() }, { logits: right = new Float32Array(1) }] = await Promise.all([gpu, cpu].map((one) => one.ask({ kind: "candidates", ids, count: 1 })));
    const worst = Math.max(...right.map((logit, id) => Math.abs(logit - (logits[id] ?? NaN))));
    expect(worst / Math.max(...right.map(Math.abs))).toBeLessThan(2e-3);
  }
  const later = await gpu.ask({ kind: "generate", keep: 1050, ids: [7], count: 5 });
  expect(later.gpu?.bindGroups).toBe(0);
  expect(later.gpu?.bytesRead).toBeLessThanOrEqual(1024);
  expect(later.memoryBytes).toBeGreaterThan(opened.memoryBytes);
  await expect(gpu.ask({ kind: "generate", keep: 1000, ids: tokens(1001), count: 1 })).rejects.toThrow("context-length-exceeded");
  gpu.end();
  cpu.end();
});

test("logits that are no numbers end the call with a code, and the next one is answered", { timeout: SLOW }, async () => {
  const BROKEN = 77;
  const runtime = await loadRuntime({ task: "text-generation", files: filesOf({ isSplit: true, broken: BROKEN }), backend: "webgpu" });
  const ask = (ids: number[], temperature: number): GenerateInput => ({ kind: "generate", prompt: { kind: "tokens", ids }, sampling: { temperature, topK: 5 }, maxTokens: 3, stop: [], choices: 1, logprobs: null, format: { type: "text" }, hold: null });
  for (const temperature of [0, 1]) await expect(runtime.run("text-generation", ask([1, BROKEN], temperature))).rejects.toMatchObject({ code: "runtime-crashed", message: expect.stringContaining("no numbers") });
  expect(await runtime.run("text-generation", ask([1, 2], 0))).toMatchObject({ outputTokens: 3 });
  runtime.close();
});
