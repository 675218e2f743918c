/** A made-up decoder on WebGPU, by the build that needs no JSPI: texts that outgrow the room there is at first, and logits that are no numbers. */
import { expect, test } from "vitest";
import { ORT_PATH } from "../../../client/runtime/ort-files.ts";
import { BLOCK_DECODER_CONFIG, blockDecoderFile } from "../../support/block-decoder.ts";
import { startDecoderWorker } from "../../support/workers/ask-worker.ts";

const SLOW = 180_000;
const { vocab_size: VOCABULARY } = BLOCK_DECODER_CONFIG;
/** Its embedding is no numbers. */
const BROKEN = 106;
/** None of them the broken one. */
const tokens = (count: number, salt = 0): number[] => Array.from({ length: count }, (_, at) => (at * 37 + salt) % VOCABULARY).map((id) => (id === BROKEN ? 0 : id));
const CONTEXT = 400;
const files = [
  { path: "config.json", blob: new Blob([JSON.stringify({ ...BLOCK_DECODER_CONFIG, max_position_embeddings: CONTEXT })]) },
  { path: "model.onnx", blob: new Blob([blockDecoderFile({ isSplit: true, broken: BROKEN })]) },
];

test("a text outgrows its buffers: what was computed moves, and tokens go on to be played back; logits that are no numbers are an error", { timeout: SLOW }, async () => {
  const [gpu, cpu] = [startDecoderWorker(), startDecoderWorker()];
  const open = { kind: "open", files, threads: 1, ortBase: new URL(ORT_PATH, location.origin).href, options: { memoryBytes: 1e9, firstRoom: 96 } } as const;
  const [opened] = await Promise.all([gpu.ask({ ...open, backend: "webgpu", withoutJspi: true }), cpu.ask({ ...open, backend: "wasm" })]);
  expect(opened.description).toMatch(/WebGPU, recorded$/);
  expect(opened.contextLength).toBe(CONTEXT);
  for (const ids of [tokens(93), [5], [6], [7], [8], [9], [3], tokens(10, 9), [1]]) {
    const [{ logits = new Float32Array() }, { logits: right = new Float32Array(1) }] = await Promise.all([gpu.ask({ kind: "candidates", ids, count: 1 }), cpu.ask({ kind: "candidates", ids, count: 1 })]);
    const worst = Math.max(...right.map((logit, id) => Math.abs(logit - (logits[id] ?? NaN))));
    expect(worst / Math.max(...right.map(Math.abs)), `after ${ids.length} more tokens`).toBeLessThan(2e-3);
  }
  const later = await gpu.ask({ kind: "generate", keep: 100, ids: [7], count: 5 });
  expect(later.gpu?.bindGroups).toBe(0);
  expect(later.gpu?.bytesRead).toBeLessThanOrEqual(1024);
  // Room for 96 tokens, then for 384: on two layers, with keys and values of two heads of 16 numbers.
  expect(later.memoryBytes - opened.memoryBytes).toBe((384 - 96) * 2 * 2 * 2 * 16 * 4);
  await expect(gpu.ask({ kind: "generate", keep: 100, ids: tokens(CONTEXT - 99), count: 1 })).rejects.toThrow("context-length-exceeded");
  for (const keep of [0, 50]) await expect(gpu.ask({ kind: "generate", keep, ids: [1, BROKEN], count: 1 })).rejects.toThrow("the model's logits are no numbers");
  gpu.end();
  cpu.end();
});
