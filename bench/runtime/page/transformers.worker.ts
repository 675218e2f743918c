/** transformers.js in a worker of its own: one model of one dtype, greedy text with the time of each token, or embeddings. */
import { TRANSFORMERS_ORT, TRANSFORMERS_URL, type Transformers } from "./peers.ts";

export type TransformersRequest =
  | { readonly kind: "load"; readonly task: "text-generation" | "feature-extraction"; readonly model: string; readonly dtype: string; readonly threads: number }
  | { readonly kind: "generate"; readonly ids: readonly number[]; readonly count: number }
  | { readonly kind: "embed"; readonly texts: readonly string[] };

export interface TransformersAnswer {
  readonly times: readonly number[];
}

let generate: ((ids: readonly number[], count: number) => Promise<number[]>) | null = null;
let embed: ((texts: readonly string[]) => Promise<unknown>) | null = null;

addEventListener("message", ({ data }: MessageEvent<TransformersRequest>) => {
  serve(data).then(
    (times) => postMessage({ answer: { times } }),
    (error: unknown) => postMessage({ error: String(error) }),
  );
});

async function serve(request: TransformersRequest): Promise<number[]> {
  if (request.kind === "load") await load(request);
  else if (request.kind === "generate" && generate) return generate(request.ids, request.count);
  else if (request.kind === "embed" && embed) await embed(request.texts);
  else throw new Error("nothing of that kind is loaded");
  return [];
}

async function load({ task, model: name, dtype, threads }: Extract<TransformersRequest, { kind: "load" }>): Promise<void> {
  const transformers = (await import(/* @vite-ignore */ new URL(TRANSFORMERS_URL, location.origin).href)) as Transformers;
  const { env, Tensor } = transformers;
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = "/models/";
  // Its own choice, the asyncify build, has no CPU kernel for the 4-bit embeddings.
  env.backends.onnx.wasm.wasmPaths = { mjs: new URL(`${TRANSFORMERS_ORT}ort-wasm-simd-threaded.mjs`, location.origin).href, wasm: new URL(`${TRANSFORMERS_ORT}ort-wasm-simd-threaded.wasm`, location.origin).href };
  env.backends.onnx.wasm.numThreads = threads;
  if (task === "feature-extraction") {
    const extract = await transformers.pipeline(task, name, { dtype, device: "wasm" });
    embed = (texts) => extract(texts, { pooling: "mean", normalize: true });
    return;
  }
  const model = await transformers.AutoModelForCausalLM.from_pretrained(name, { dtype, device: "wasm" });
  const tensor = (values: readonly number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  generate = async (ids, count) => {
    const began = performance.now();
    const times: number[] = [];
    let isPrompt = true;
    const put = () => {
      if (!isPrompt) times.push(performance.now() - began);
      isPrompt = false;
    };
    await model.generate({ inputs: tensor(ids), attention_mask: tensor(ids.map(() => 1)), max_new_tokens: count, min_new_tokens: count, do_sample: false, streamer: { put, end: () => undefined } });
    return times;
  };
}
