/**
 * The engines that are compared, on the page: each loads the same model and generates from the same tokens, greedily.
 *
 * - `generate` gives the milliseconds from the call to each token, as the engine's own streaming tells them.
 *   `isTurn`: the call goes on from the one before, and an engine that keeps what it computed may use it.
 */
import { chooseBackend } from "../../../client/runtime/backends/choose.ts";
import { probeBrowser } from "../../../client/runtime/backends/probe.ts";
import type { Backend } from "../../../schema/contract/models.ts";
import { ORT_PATH } from "../../../client/runtime/ort-files.ts";
import type { StoredFile } from "../../../client/runtime/protocol.ts";
import type { PieceOf, TaskName } from "../../../client/runtime/tasks/registry.ts";
import type { GenerateInput, SamplingWish } from "../../../client/runtime/tasks/text-generation/request.ts";
import { WorkerLink } from "../../../client/runtime/worker-link.ts";
import { ASK, type RunsOf, type TimedRun } from "../worker/leasehold-protocol.ts";
import { type PeerTokenizer, TRANSFORMERS_URL, type Transformers, WLLAMA_URL, WLLAMA_WASM, type WllamaModule } from "./peers.ts";
import type { Prompt } from "./prompts.ts";
import type { TransformersAnswer, TransformersRequest } from "./transformers.worker.ts";

export interface Generated {
  readonly times: readonly number[];
  /** The model's own runs, where they are known. */
  readonly runs: readonly TimedRun[];
}

export interface Contestant {
  /** What it says of itself. */
  readonly note: string;
  generate(prompt: Prompt, count: number, isTurn: boolean): Promise<Generated>;
}

/** SwiftShader works on one step for minutes. */
const PATIENCE = { silenceMs: 600_000, abortMs: 5_000 };
const MEMORY = 3e9;
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

let leaseholds = 0;
const GREEDY: SamplingWish = { temperature: 0 };

/** `threads`: 0 leaves it to the runtime. */
const leasehold = (file: string, threads: number, sampling: SamplingWish = GREEDY, backend: Backend = "wasm") => async (model: string): Promise<Contestant> => {
  const choice = chooseBackend(backend, await probeBrowser(backend === "webgpu"), new Map());
  if (!choice.ok) throw new Error(choice.why);
  const name = `leasehold ${++leaseholds}`;
  const channel = new BroadcastChannel(name);
  const link = new WorkerLink(new Worker(new URL("../worker/leasehold.worker.ts", import.meta.url), { type: "module", name }));
  const runsOf = (): Promise<RunsOf> =>
    new Promise((resolve) => {
      channel.onmessage = ({ data }: MessageEvent<RunsOf>) => resolve(data);
      channel.postMessage(ASK);
    });
  const files = await filesOf(model, [...TEXT_FILES, file]);
  await link.ask({ kind: "start", task: "text-generation", backend, withoutJspi: choice.candidate.withoutJspi, areThreadsFixed: threads > 0, threads: threads || choice.candidate.threads, ortBase: new URL(ORT_PATH, location.origin).href }, { patience: PATIENCE });
  await link.ask({ kind: "load", files, options: { memoryBytes: MEMORY } }, { patience: PATIENCE });
  const loaded = await runsOf();
  return {
    note: backend === "webgpu" ? choice.candidate.reason : `${loaded.threads} threads, memory ${Math.round(loaded.memoryBytes / 1e6)} MB`,
    async generate({ ids }, count) {
      const times: number[] = [];
      const began = performance.now();
      const input: GenerateInput = { kind: "generate", prompt: { kind: "tokens", ids }, sampling, maxTokens: count, stop: [], choices: 1, logprobs: null, format: { type: "text" }, hold: null };
      const onPiece = (piece: PieceOf<TaskName>) => {
        if (piece.kind === "piece") while (times.length < piece.outputTokens) times.push(performance.now() - began);
      };
      await link.ask({ kind: "run", task: "text-generation", input }, { patience: PATIENCE, onPiece });
      return { times, runs: (await runsOf()).runs };
    },
  };
};

const transformers = (dtype: string) => async (model: string): Promise<Contestant> => {
  const ask = asker<TransformersRequest, TransformersAnswer>(new Worker(new URL("./transformers.worker.ts", import.meta.url), { type: "module" }));
  const threads = navigator.hardwareConcurrency;
  await ask({ kind: "load", task: "text-generation", model, dtype, threads });
  return { note: `${threads} threads`, generate: async ({ ids }, count) => ({ times: (await ask({ kind: "generate", ids, count })).times, runs: [] }) };
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
      return { times, runs: [] };
    },
  };
};

export const CONTESTANTS: Readonly<Record<string, (model: string) => Promise<Contestant>>> = {
  "Leasehold q4": leasehold("onnx/model_q4.onnx", 0),
  "Leasehold q4, 1 thread": leasehold("onnx/model_q4.onnx", 1),
  "Leasehold q4, 2 threads": leasehold("onnx/model_q4.onnx", 2),
  "Leasehold q4, sampling": leasehold("onnx/model_q4.onnx", 0, { temperature: 0.8, topP: 0.9, repetitionPenalty: 1.1, seed: 1 }),
  "Leasehold q4, WebGPU": leasehold("onnx/model_q4.onnx", 0, GREEDY, "webgpu"),
  "transformers.js q4": transformers("q4"),
  "transformers.js q8": transformers("q8"),
  "wllama Q8_0": wllama("/gguf/SmolLM2-135M-Instruct.Q8_0.gguf"),
  "wllama Q4_1": wllama("/gguf/SmolLM2-135M-Instruct.Q4_1.gguf"),
  "wllama Q4_0": wllama("/gguf/SmolLM2-135M-Instruct.Q4_0.gguf"),
};
