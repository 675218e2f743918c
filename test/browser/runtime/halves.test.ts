/** A decoder of 16-bit floats on WASM: what the original graph says there by onnxruntime's own casts, within what 16 bits round away. */
import { expect, test } from "vitest";
import type { OrtApi } from "../../../client/runtime/backends/engine.ts";
import { halvesToFloats } from "../../../client/runtime/graph/half.ts";
import { ORT_BUILDS, ORT_PATH } from "../../../client/runtime/ort-files.ts";
import { BLOCK_DECODER_CONFIG, blockDecoder, fileOf } from "../../support/block-decoder.ts";
import { halved } from "../../support/halved.ts";
import { startDecoderWorker } from "../../support/workers/ask-worker.ts";

const { vocab_size: VOCABULARY } = BLOCK_DECODER_CONFIG;
const PROMPT = Array.from({ length: 70 }, (_, at) => (at * 37 + 11) % VOCABULARY);

test("is widened, runs on kernels, and answers as the original graph", async () => {
  const model = halved(blockDecoder());
  const ort = (await import(/* @vite-ignore */ new URL(ORT_PATH + ORT_BUILDS.wasm.api, location.origin).href)) as OrtApi;
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(fileOf(model));
  const whole = (values: readonly number[]) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  const pasts = model.graph.inputs.filter(({ name }) => name.startsWith("past"));
  const empty = ({ tensor }: (typeof pasts)[number]) => new ort.Tensor("float16", new Uint16Array(0), [1, Number(tensor?.shape?.[1]), 0, Number(tensor?.shape?.[3])]);
  const { logits } = await session.run({ input_ids: whole(PROMPT), attention_mask: whole(PROMPT.map(() => 1)), ...Object.fromEntries(pasts.map((past) => [past.name, empty(past)])) }, ["logits"]);
  const data = (await logits?.getData()) as Uint16Array;
  const right = halvesToFloats(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).slice(-VOCABULARY);

  const worker = startDecoderWorker();
  const files = [
    { path: "config.json", blob: new Blob([JSON.stringify(BLOCK_DECODER_CONFIG)]) },
    { path: "model.onnx", blob: new Blob([fileOf(model)]) },
  ];
  const { description } = await worker.ask({ kind: "open", files, backend: "wasm", threads: 1, ortBase: new URL(ORT_PATH, location.origin).href, options: { memoryBytes: 1e9 } });
  expect(description).toMatch(/; kernels; /);
  const found = (await worker.ask({ kind: "candidates", ids: PROMPT, count: 1 })).logits ?? new Float32Array(0);
  const worst = Math.max(...right.map((logit, id) => Math.abs(logit - (found[id] ?? NaN))));
  expect(worst / Math.max(...right.map(Math.abs))).toBeLessThan(1e-2);
  worker.end();
  await session.release();
});
