/**
 * The engines that are compared, on the page: each loads the same model and generates from the same tokens.
 *
 * - `generate` gives the milliseconds from the call to each token. `keep` tokens of the prompt were there in the call
 *   before: an engine that can, computes only the rest.
 */
import type { RuntimeFile } from "../../client/runtime/protocol.ts";
import { ORT_PATH } from "../../client/runtime/ort-files.ts";
import { startDecoderWorker } from "../../test/support/workers/ask-worker.ts";
import { type PeerTokenizer, TRANSFORMERS_URL, type Transformers, WLLAMA_URL, WLLAMA_WASM, type WllamaModule } from "./peers.ts";
import type { TransformersRequest } from "./transformers.worker.ts";

export interface Prompt {
  readonly ids: readonly number[];
  readonly text: string;
}

export interface Contestant {
  /** What it says of itself. */
  readonly note: string;
  generate(prompt: Prompt, count: number, keep: number): Promise<number[]>;
  close(): Promise<void>;
}

const MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct";
const blobOf = async (path: string): Promise<Blob> => {
  const answer = await fetch(`/models/${MODEL}/${path}`);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.blob();
};

export async function loadTokenizer(): Promise<PeerTokenizer> {
  const { env, AutoTokenizer } = (await import(/* @vite-ignore */ TRANSFORMERS_URL)) as Transformers;
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = "/models/";
  return AutoTokenizer.from_pretrained(MODEL);
}

async function leasehold(file: string, threads: number): Promise<Contestant> {
  const worker = startDecoderWorker();
  const files: RuntimeFile[] = await Promise.all(["config.json", file].map(async (path) => ({ path, blob: await blobOf(path) })));
  const { description, memoryBytes } = await worker.ask({ kind: "open", files, backend: "wasm", threads, ortBase: new URL(ORT_PATH, location.origin).href, options: { memoryBytes: 3e9 } });
  return {
    note: `${description}; heap ${Math.round(memoryBytes / 1e6)} MB`,
    async generate({ ids }, count, keep) {
      const { at = [] } = await worker.ask({ kind: "generate", ids: ids.slice(keep), count, keep });
      return [...at];
    },
    close: async () => worker.end(),
  };
}

async function transformers(dtype: string, threads: number): Promise<Contestant> {
  const worker = new Worker(new URL("./transformers.worker.ts", import.meta.url), { type: "module" });
  const ask = (request: TransformersRequest) =>
    new Promise<number[]>((resolve, reject) => {
      worker.onmessage = ({ data: { times, error } }: MessageEvent<{ times?: number[]; error?: string }>) => (times ? resolve(times) : reject(new Error(error)));
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(request);
    });
  await ask({ load: { model: MODEL, dtype, threads } });
  return { note: `${threads} threads`, generate: ({ ids }, count) => ask({ generate: { ids, count } }), close: async () => worker.terminate() };
}

async function wllama(file: string, threads: number): Promise<Contestant> {
  const { Wllama } = (await import(/* @vite-ignore */ WLLAMA_URL)) as WllamaModule;
  const engine = new Wllama({ default: new URL(WLLAMA_WASM, location.origin).href }, { suppressNativeLog: true });
  await engine.loadModel([await blobOf(file)], { n_ctx: 2048, n_threads: threads, n_gpu_layers: 0 });
  return {
    note: `${engine.getNumThreads()} threads`,
    async generate({ text }, count, keep) {
      const began = performance.now();
      const times: number[] = [];
      await engine.createCompletion({ prompt: text, max_tokens: count, temperature: 0, cache_prompt: keep > 0, stream: true, onData: () => times.push(performance.now() - began) });
      return times;
    },
    close: () => engine.exit(),
  };
}

export const CONTESTANTS: Readonly<Record<string, () => Promise<Contestant>>> = {
  "Leasehold q4, 1 thread": () => leasehold("onnx/model_q4.onnx", 1),
  "Leasehold q4, 2 threads": () => leasehold("onnx/model_q4.onnx", 2),
  "transformers.js q4": () => transformers("q4", 2),
  "transformers.js q8": () => transformers("q8", 2),
  "wllama Q4_1": () => wllama("gguf/SmolLM2-135M-Instruct.Q4_1.gguf", 2),
};
