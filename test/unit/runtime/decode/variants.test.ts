/**
 * Whatever a decoder's graph has, it is computed as onnxruntime's public API computes the graph as it came: by kernels,
 * by the module with its rewrites (full weights, attention in pieces, the last row alone), and by sessions.
 */
import * as ort from "onnxruntime-web";
import { describe, expect, test } from "vitest";
import type { Engine, EngineOnDemand } from "../../../../client/runtime/backends/engine.ts";
import { startModule } from "../../../../client/runtime/backends/ort-module.ts";
import { readDecoderIo } from "../../../../client/runtime/decode/decoder-io.ts";
import { openDecoder } from "../../../../client/runtime/decode/open-decoder.ts";
import { readPlanConstants } from "../../../../client/runtime/decode/plan-constants.ts";
import { planToken } from "../../../../client/runtime/decode/token-plan.ts";
import { ModelSource } from "../../../../client/runtime/graph/model-source.ts";
import { ModelFiles } from "../../../../client/runtime/tasks/model-files.ts";
import type { OnnxModel } from "../../../../schema/onnx/types.ts";
import { BLOCK_DECODER_CONFIG, fileOf } from "../../../support/block-decoder.ts";
import { variants } from "../../../support/decoder-variants.ts";

const { vocab_size: VOCABULARY } = BLOCK_DECODER_CONFIG;
const tokens = (count: number, salt: number): number[] => Array.from({ length: count }, (_, at) => (at * 37 + salt) % VOCABULARY);
/** A prompt of two pieces, single tokens, and a short piece after them. */
const FEEDS: readonly (readonly number[])[] = [tokens(70, 11), [5], [99], tokens(9, 3), [40]];

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

/** All tokens in one run, without a past: the logits after each feed. */
async function expectedOf(model: OnnxModel): Promise<Float32Array[]> {
  const session = await ort.InferenceSession.create(fileOf(model), { logSeverityLevel: 3 });
  const ids = FEEDS.flat();
  const whole = (values: readonly number[]) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  const pasts = model.graph.inputs.filter(({ name }) => name.startsWith("past"));
  const empty = ({ tensor }: (typeof pasts)[number]) => new ort.Tensor("float32", new Float32Array(0), [1, Number(tensor?.shape?.[1]), 0, Number(tensor?.shape?.[3])]);
  const known = { input_ids: () => whole(ids), attention_mask: () => whole(ids.map(() => 1)), position_ids: () => whole([...ids.keys()]), num_logits_to_keep: () => new ort.Tensor("int64", BigInt64Array.of(0n), []) };
  const feeds = Object.entries(known).filter(([name]) => session.inputNames.includes(name)).map(([name, of]) => [name, of()] as const);
  const { logits } = await session.run({ ...Object.fromEntries(feeds), ...Object.fromEntries(pasts.map((past) => [past.name, empty(past)])) }, ["logits"]);
  const all = (await logits?.getData()) as Float32Array;
  await session.release();
  let end = 0;
  return FEEDS.map(({ length }) => all.slice(((end += length) - 1) * VOCABULARY, end * VOCABULARY));
}

const onDemand = (start: () => Promise<Engine>): EngineOnDemand => ({ backend: "wasm", threads: 1, areThreadsFixed: true, start });
const none = onDemand(() => Promise.reject(new Error("no engine is needed")));
/** The files as the package has them; the memory of a module never shrinks, so one does for all. */
const dist = new URL("./", import.meta.resolve("onnxruntime-web")).href;
const module = startModule(dist, 1);
const heap = onDemand(async () => ({ kind: "heap", backend: "wasm", ort: await module }));
const sessions = onDemand(async () => ({
  kind: "sessions",
  backend: "wasm",
  api: ort,
  openNamed: (model, options) => ort.InferenceSession.create(model, { ...options, logSeverityLevel: 3 }),
  openRecording: async () => null,
  open: () => Promise.reject(new Error("a decoder has more than one input")),
  openReference: () => Promise.reject(new Error("there is no other backend")),
  deviceLost: new Promise(() => undefined),
}));

/** Room for full weights, and none. */
const [AMPLE, SCARCE] = [1e9, 1e6];

const filesOf = (model: OnnxModel): ModelFiles => new ModelFiles([{ path: "config.json", parts: [new TextEncoder().encode(JSON.stringify(BLOCK_DECODER_CONFIG))] }, { path: "model.onnx", parts: [fileOf(model)] }]);

async function worstOf(model: OnnxModel, expected: readonly Float32Array[], engine: EngineOnDemand, memoryBytes: number): Promise<number> {
  const decoder = await openDecoder(filesOf(model), engine, { memoryBytes }, async () => undefined);
  let worst = 0;
  for (const [at, ids] of FEEDS.entries()) {
    const found = await (await decoder.feed(Int32Array.from(ids), async () => undefined)).logits();
    const right = expected[at] ?? new Float32Array(0);
    const largest = Math.max(...right.map(Math.abs));
    worst = Math.max(worst, ...right.map((logit, id) => Math.abs(logit - (found[id] ?? NaN)) / largest));
  }
  await decoder.close();
  return worst;
}

describe.each(variants())("a decoder with $name", ({ model, onKernels }) => {
  test(`is ${onKernels ? "known to the kernels" : "left to onnxruntime"}, and computed right`, { timeout: 60_000 }, async () => {
    const expected = await expectedOf(model);
    const source = new ModelSource(filesOf(model), "model.onnx");
    const { graph } = await source.structure();
    expect(planToken(graph, readDecoderIo(graph), await readPlanConstants(graph, source)).plan !== null).toBe(onKernels);
    const worst = onKernels
      ? [await worstOf(model, expected, none, AMPLE)]
      : [await worstOf(model, expected, heap, AMPLE), await worstOf(model, expected, heap, SCARCE), await worstOf(model, expected, sessions, AMPLE)];
    for (const each of worst) expect(each).toBeLessThan(1e-3);
  });
});
