/** A decoder on kernels, prompts in pieces and single tokens: the same as onnxruntime's public API gives for the model as it is. */
import { beforeAll, expect, test } from "vitest";
import type { OrtApi } from "../../../client/runtime/backends/engine.ts";
import { ORT_BUILDS, ORT_PATH } from "../../../client/runtime/ort-files.ts";
import { BLOCK_DECODER_CONFIG, blockDecoder, blockDecoderFile, type BlockDecoderShape } from "../../support/block-decoder.ts";
import { startDecoderWorker, type DecoderWorker } from "../../support/workers/ask-worker.ts";

const { vocab_size: VOCABULARY } = BLOCK_DECODER_CONFIG;
/** Of its tokens, models with a vocabulary of odd length have all of these. */
const LEAST = 121;
const tokens = (count: number, salt: number): number[] => Array.from({ length: count }, (_, at) => (at * 37 + salt) % LEAST);
/** A prompt of two pieces, tokens one by one, another piece, and tokens again. */
const FEEDS: readonly (readonly number[])[] = [tokens(70, 11), ...tokens(12, 5).map((id) => [id]), tokens(20, 3), ...tokens(6, 90).map((id) => [id])];
const filesOf = (shape: BlockDecoderShape) => [
  { path: "config.json", blob: new Blob([JSON.stringify({ ...BLOCK_DECODER_CONFIG, vocab_size: shape.vocabulary ?? VOCABULARY })]) },
  { path: "model.onnx", blob: new Blob([blockDecoderFile(shape)]) },
];
/** Nothing of onnxruntime is there. */
const NOWHERE = new URL("/nowhere/", location.origin).href;
let ort: OrtApi;

beforeAll(async () => {
  ort = (await import(/* @vite-ignore */ new URL(ORT_PATH + ORT_BUILDS.wasm.api, location.origin).href)) as OrtApi;
  ort.env.wasm.numThreads = 1;
});

/** All tokens in one run, without a past: the logits after each feed. */
async function expectedOf(shape: BlockDecoderShape): Promise<Float32Array[]> {
  const session = await ort.InferenceSession.create(blockDecoderFile(shape));
  const [ids, vocabulary] = [FEEDS.flat(), shape.vocabulary ?? VOCABULARY];
  const whole = (values: readonly number[]) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  const pasts = blockDecoder(shape).graph.inputs.filter(({ name }) => name.startsWith("past"));
  const empty = ({ tensor }: (typeof pasts)[number]) => new ort.Tensor("float32", new Float32Array(0), [1, Number(tensor?.shape?.[1]), 0, Number(tensor?.shape?.[3])]);
  const { logits } = await session.run({ input_ids: whole(ids), attention_mask: whole(ids.map(() => 1)), ...Object.fromEntries(pasts.map((past) => [past.name, empty(past)])) }, ["logits"]);
  const all = (await logits?.getData()) as Float32Array;
  await session.release();
  let end = 0;
  return FEEDS.map(({ length }) => all.slice(((end += length) - 1) * vocabulary, end * vocabulary));
}

async function expectLogits(worker: DecoderWorker, expected: readonly Float32Array[]): Promise<void> {
  for (const [step, ids] of FEEDS.entries()) {
    const { logits = new Float32Array(0) } = await worker.ask({ kind: "candidates", ids, count: 1 });
    const right = expected[step] ?? new Float32Array(0);
    expect(logits).toHaveLength(right.length);
    const largest = Math.max(...right.map(Math.abs));
    const worst = Math.max(...right.map((logit, id) => Math.abs(logit - (logits[id] ?? NaN))));
    expect(worst / largest, `after ${step + 1} of ${FEEDS.length} feeds`).toBeLessThan(1e-3);
  }
}

test.each([[1, "one thread", {}], [2, "2 threads", {}], [3, "3 threads", { isSplit: true, vocabulary: LEAST }]] as const)("the same logits on %i threads, without onnxruntime", async (threads, name, shape) => {
  const worker = startDecoderWorker();
  const { description } = await worker.ask({ kind: "open", files: filesOf(shape), backend: "wasm", threads, ortBase: NOWHERE, options: { memoryBytes: 1e9 } });
  expect(description).toBe(`weights in blocks as they are; kernels; ${name}`);
  await expectLogits(worker, await expectedOf(shape));
  worker.end();
});

test("where a kernel is wrong the session computes the model, and says why", async () => {
  const worker = startDecoderWorker();
  const { description } = await worker.ask({ kind: "open", files: filesOf({}), backend: "wasm", threads: 1, ortBase: new URL(ORT_PATH, location.origin).href, hasBrokenKernel: true, options: { memoryBytes: 1e9 } });
  expect(description).toMatch(/^weights expanded to 32 bits .*not by kernels, for the kernel for add gives wrong numbers here/);
  await expectLogits(worker, await expectedOf({}));
  worker.end();
});
