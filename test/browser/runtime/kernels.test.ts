/** Single tokens by kernels, prompts by the session: the same as onnxruntime's public API gives for the model as it is. */
import { beforeAll, expect, test } from "vitest";
import { ORT_PATH } from "../../../client/runtime/ort-files.ts";
import { BLOCK_DECODER_CONFIG, blockDecoderFile } from "../../support/block-decoder.ts";
import { LACKING_PATH } from "../../support/ort-lacking.ts";
import { startDecoderWorker, type DecoderWorker } from "../../support/workers/ask-worker.ts";

const tokens = (count: number, salt: number): number[] => Array.from({ length: count }, (_, at) => (at * 37 + salt) % BLOCK_DECODER_CONFIG.vocab_size);
/** A prompt, tokens one by one, another piece, and tokens again: keys and values of both kinds of runs, in both orders. */
const FEEDS: readonly (readonly number[])[] = [tokens(40, 11), ...tokens(12, 5).map((id) => [id]), tokens(20, 3), ...tokens(6, 90).map((id) => [id])];
const FILES = [
  { path: "config.json", blob: new Blob([JSON.stringify(BLOCK_DECODER_CONFIG)]) },
  { path: "model.onnx", blob: new Blob([blockDecoderFile()]) },
];
const OPEN = { kind: "open", files: FILES, backend: "wasm", threads: 1, ortBase: new URL(ORT_PATH, location.origin).href } as const;
/** Enough for full weights; and only for those in blocks. */
const [MUCH, LITTLE] = [1e9, 68.45e6];
let expected: Float32Array[];

async function logitsOf(worker: DecoderWorker): Promise<Float32Array[]> {
  const all: Float32Array[] = [];
  for (const ids of FEEDS) all.push((await worker.ask({ kind: "candidates", ids, count: 1 })).logits ?? new Float32Array(0));
  return all;
}

beforeAll(async () => {
  const worker = startDecoderWorker();
  const { description } = await worker.ask({ ...OPEN, ortBase: new URL(LACKING_PATH, location.origin).href, options: { memoryBytes: MUCH } });
  expect(description).toMatch(/the public API$/);
  expected = await logitsOf(worker);
  worker.end();
});

test.each([["full weights for prompts", MUCH, "expanded"], ["blocks for prompts", LITTLE, "as they are"]])("the same logits, with %s", async (_, memoryBytes, form) => {
  const worker = startDecoderWorker();
  const { description } = await worker.ask({ ...OPEN, options: { memoryBytes } });
  expect(description).toContain(form);
  expect(description).toMatch(/single tokens by kernels$/);
  const found = await logitsOf(worker);
  worker.end();
  expected.forEach((logits, step) => {
    expect(logits).toHaveLength(BLOCK_DECODER_CONFIG.vocab_size);
    const largest = Math.max(...logits.map(Math.abs));
    const worst = Math.max(...logits.map((logit, id) => Math.abs(logit - (found[step]?.[id] ?? NaN))));
    expect(worst / largest, `after ${step + 1} of ${FEEDS.length} feeds`).toBeLessThan(1e-3);
  });
});
