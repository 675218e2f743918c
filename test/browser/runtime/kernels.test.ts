/** Single tokens by kernels, prompts by the session: the same as onnxruntime's public API gives for the model as it is. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ORT_PATH } from "../../../client/runtime/ort-files.ts";
import { BLOCK_DECODER_CONFIG, blockDecoderFile } from "../../support/block-decoder.ts";
import { LACKING_PATH } from "../../support/ort-lacking.ts";
import { startDecoderWorker, type DecoderWorker } from "../../support/workers/ask-worker.ts";

const COUNT = 48;
const PROMPT = Array.from({ length: 40 }, (_, at) => (at * 37 + 11) % BLOCK_DECODER_CONFIG.vocab_size);
const FILES = [
  { path: "config.json", blob: new Blob([JSON.stringify(BLOCK_DECODER_CONFIG)]) },
  { path: "model.onnx", blob: new Blob([blockDecoderFile()]) },
];
const OPEN = { kind: "open", files: FILES, backend: "wasm", threads: 1, ortBase: new URL(ORT_PATH, location.origin).href } as const;
/** Enough for full weights; and only for those in blocks. */
const [MUCH, LITTLE] = [1e9, 68.45e6];
let reference: DecoderWorker;
let expected: readonly number[];

beforeAll(async () => {
  reference = startDecoderWorker();
  const { description } = await reference.ask({ ...OPEN, ortBase: new URL(LACKING_PATH, location.origin).href, options: { memoryBytes: MUCH } });
  expect(description).not.toContain("kernels");
  expected = (await reference.ask({ kind: "generate", ids: PROMPT, count: COUNT })).ids ?? [];
  expect(new Set(expected).size).toBeGreaterThan(8);
});
afterAll(() => reference.end());

test.each([["full weights for prompts", MUCH, "expanded"], ["blocks for prompts", LITTLE, "as they are"]])("the same tokens, with %s", async (_, memoryBytes, form) => {
  const worker = startDecoderWorker();
  const { description } = await worker.ask({ ...OPEN, options: { memoryBytes } });
  expect(description).toContain(form);
  expect(description).toContain("single tokens by kernels");
  expect((await worker.ask({ kind: "generate", ids: PROMPT, count: COUNT })).ids).toEqual(expected);
  // A turn that goes on from the middle: keys and values of both kinds of runs, in both orders.
  const keep = PROMPT.length + 10;
  const rest = expected.slice(10, 20);
  expect((await worker.ask({ kind: "generate", keep, ids: rest, count: 20 })).ids).toEqual(expected.slice(20, 40));
  const [here, there] = await Promise.all([worker, reference].map((each) => each.ask({ kind: "candidates", ids: [3], count: 5 })));
  expect(here?.logits).toHaveLength(there?.logits?.length ?? 0);
  worker.end();
});
