/**
 * transformers.js from its own cache: a pipeline, the first token, the answer.
 *
 * - Files come from this origin, which stands for the hub: what comes from there goes to its Cache API cache.
 * - Everything is as it comes but onnxruntime-web's build: its own choice has no CPU kernel for 4-bit embeddings.
 */
import { MESSAGES, type PeerTask, TOKENS } from "./task.ts";

interface Transformers {
  readonly env: { allowLocalModels: boolean; remoteHost: string; backends: { onnx: { wasm: { wasmPaths: { mjs: string; wasm: string }; numThreads: number } } } };
  readonly pipeline: (task: "text-generation", model: string, options: { dtype: "q4"; device: "wasm" }) => Promise<Generate>;
  readonly TextStreamer: new (tokenizer: unknown, options: { skip_prompt: boolean; token_callback_function: () => void }) => unknown;
}
interface Generate {
  (messages: typeof MESSAGES, options: { max_new_tokens: number; do_sample: boolean; streamer: unknown }): Promise<readonly { generated_text: readonly { content: string }[] }[]>;
  readonly tokenizer: unknown;
}

addEventListener("message", ({ data }: MessageEvent<PeerTask & { origin: string }>) => {
  write(data).then(
    (text) => postMessage({ text }),
    (error: unknown) => postMessage({ error: String(error) }),
  );
});

async function write({ model, threads, origin }: PeerTask & { readonly origin: string }): Promise<string> {
  const { env, pipeline, TextStreamer } = (await import(/* @vite-ignore */ `${origin}/peers/@huggingface/transformers/dist/transformers.min.js`)) as Transformers;
  env.allowLocalModels = false;
  env.remoteHost = `${origin}/hub/`;
  const ort = `${origin}/peers/onnxruntime-web/dist/ort-wasm-simd-threaded`;
  env.backends.onnx.wasm.wasmPaths = { mjs: `${ort}.mjs`, wasm: `${ort}.wasm` };
  env.backends.onnx.wasm.numThreads = threads;
  const generate = await pipeline("text-generation", model, { dtype: "q4", device: "wasm" });
  const streamer = new TextStreamer(generate.tokenizer, { skip_prompt: true, token_callback_function: () => postMessage({}) });
  const [answer] = await generate(MESSAGES, { max_new_tokens: TOKENS, do_sample: false, streamer });
  return answer?.generated_text.at(-1)?.content ?? "";
}
