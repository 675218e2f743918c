/**
 * The engines that are compared, on the page: each loads the same model and generates from the same tokens, greedily.
 *
 * - `generate` gives the milliseconds from the call to each token, as the engine's own streaming tells them.
 *   `isTurn`: the call goes on from the one before, and an engine that keeps what it computed may use it.
 */
import { ORT_PATH } from "../../../client/runtime/ort-files.ts";
import type { StoredFile } from "../../../client/runtime/protocol.ts";
import type { LeaseholdAnswer, LeaseholdRequest } from "../worker/leasehold-protocol.ts";
import { type PeerTokenizer, TRANSFORMERS_URL, type Transformers, WLLAMA_URL, WLLAMA_WASM, type WllamaModule } from "./peers.ts";
import type { Prompt } from "./prompts.ts";
import type { TransformersAnswer, TransformersRequest } from "./transformers.worker.ts";

export interface Generated {
  readonly times: readonly number[];
  /** Milliseconds until the answer was whole, and of them in the model's own runs; 0 where that isn't known. */
  readonly wholeMs: number;
  readonly runMs: number;
}

export interface Contestant {
  /** What it says of itself. */
  readonly note: string;
  generate(prompt: Prompt, count: number, isTurn: boolean): Promise<Generated>;
}

const TEXT_FILES = ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"];

const blobOf = async (url: string): Promise<Blob> => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.blob();
};

export const filesOf = (model: string, paths: readonly string[]): Promise<StoredFile[]> =>
  Promise.all(paths.map(async (path) => ({ path, blob: await blobOf(`/models/${model}/${path}`) })));

export async function loadTokenizer(model: string): Promise<PeerTokenizer> {
  const { env, AutoTokenizer } = (await import(/* @vite-ignore */ TRANSFORMERS_URL)) as Transformers;
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = "/models/";
  return AutoTokenizer.from_pretrained(model);
}

/** A worker that answers one request after another. */
export function asker<Request, Answer>(worker: Worker): (request: Request) => Promise<Answer> {
  return (request) =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data: { answer, error } }: MessageEvent<{ answer?: Answer; error?: string }>) => (answer === undefined ? reject(new Error(error)) : resolve(answer));
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(request);
    });
}

/** `threads`: 0 leaves it to the runtime. */
const leasehold = (file: string, threads: number) => async (model: string): Promise<Contestant> => {
  const ask = asker<LeaseholdRequest, LeaseholdAnswer>(new Worker(new URL("../worker/leasehold.worker.ts", import.meta.url), { type: "module" }));
  const { note } = await ask({ kind: "load", files: await filesOf(model, [...TEXT_FILES, file]), threads, ortBase: new URL(ORT_PATH, location.origin).href });
  return { note, generate: ({ ids }, count) => ask({ kind: "generate", ids, count }) };
};

const transformers = (dtype: string) => async (model: string): Promise<Contestant> => {
  const ask = asker<TransformersRequest, TransformersAnswer>(new Worker(new URL("./transformers.worker.ts", import.meta.url), { type: "module" }));
  const threads = navigator.hardwareConcurrency;
  await ask({ kind: "load", task: "text-generation", model, dtype, threads });
  return { note: `${threads} threads`, generate: async ({ ids }, count) => ({ times: (await ask({ kind: "generate", ids, count })).times, wholeMs: 0, runMs: 0 }) };
};

const wllama = (url: string) => async (): Promise<Contestant> => {
  const { Wllama } = (await import(/* @vite-ignore */ WLLAMA_URL)) as WllamaModule;
  const engine = new Wllama({ default: new URL(WLLAMA_WASM, location.origin).href }, { suppressNativeLog: true });
  await engine.loadModel([await blobOf(url)], { n_ctx: 2048, n_threads: navigator.hardwareConcurrency, n_gpu_layers: 0 });
  return {
    note: `${engine.getNumThreads()} threads`,
    async generate({ text }, count, isTurn) {
      const began = performance.now();
      const times: number[] = [];
      const onData = ({ choices: [choice] }: { choices: { text: string }[] }) => {
        if (choice && choice.text !== "") times.push(performance.now() - began);
      };
      await engine.createCompletion({ prompt: text, max_tokens: count, temperature: 0, cache_prompt: isTurn, stream: true, onData });
      return { times, wholeMs: 0, runMs: 0 };
    },
  };
};

export const CONTESTANTS: Readonly<Record<string, (model: string) => Promise<Contestant>>> = {
  "Leasehold q4": leasehold("onnx/model_q4.onnx", 0),
  "Leasehold q4, 1 thread": leasehold("onnx/model_q4.onnx", 1),
  "Leasehold q4, 2 threads": leasehold("onnx/model_q4.onnx", 2),
  "transformers.js q4": transformers("q4"),
  "transformers.js q8": transformers("q8"),
  "wllama Q8_0": wllama("/gguf/SmolLM2-135M-Instruct.Q8_0.gguf"),
  "wllama Q4_1": wllama("/gguf/SmolLM2-135M-Instruct.Q4_1.gguf"),
  "wllama Q4_0": wllama("/gguf/SmolLM2-135M-Instruct.Q4_0.gguf"),
};
