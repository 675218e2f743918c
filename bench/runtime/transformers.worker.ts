/** transformers.js in a worker of its own: loads one model of one dtype, generates greedily, says when each token came. */
import { TRANSFORMERS_ORT, TRANSFORMERS_URL, type Transformers } from "./peers.ts";

export interface TransformersRequest {
  readonly load?: { readonly model: string; readonly dtype: string; readonly threads: number };
  readonly generate?: { readonly ids: readonly number[]; readonly count: number };
}

let generate: ((ids: readonly number[], count: number) => Promise<number[]>) | null = null;

addEventListener("message", ({ data }: MessageEvent<TransformersRequest>) => {
  const work = data.load ? load(data.load) : data.generate && generate ? generate(data.generate.ids, data.generate.count) : Promise.reject(new Error("nothing is loaded"));
  work.then(
    (times) => postMessage({ times }),
    (error: unknown) => postMessage({ error: String(error) }),
  );
});

async function load({ model: name, dtype, threads }: NonNullable<TransformersRequest["load"]>): Promise<number[]> {
  const transformers = (await import(/* @vite-ignore */ new URL(TRANSFORMERS_URL, location.origin).href)) as Transformers;
  const { env, Tensor } = transformers;
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = "/models/";
  // Its own choice, the asyncify build, has no CPU kernel for the 4-bit embeddings.
  env.backends.onnx.wasm.wasmPaths = { mjs: new URL(`${TRANSFORMERS_ORT}ort-wasm-simd-threaded.mjs`, location.origin).href, wasm: new URL(`${TRANSFORMERS_ORT}ort-wasm-simd-threaded.wasm`, location.origin).href };
  env.backends.onnx.wasm.numThreads = threads;
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
  return [];
}
