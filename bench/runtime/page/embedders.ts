/** Who makes embeddings from the same texts. llama.cpp has no part in it: there is no GGUF of this model here. */
import { loadRuntime } from "../../../client/runtime/host.ts";
import { asker, filesOf } from "./contestants.ts";
import type { TransformersAnswer, TransformersRequest } from "./transformers.worker.ts";

export interface Embedder {
  readonly note: string;
  embed(texts: readonly string[]): Promise<void>;
}

const MODEL = "Xenova/all-MiniLM-L6-v2";
const FILES = ["config.json", "tokenizer.json", "tokenizer_config.json", "1_Pooling/config.json", "onnx/model_quantized.onnx"];

async function leasehold(): Promise<Embedder> {
  const runtime = await loadRuntime({ task: "feature-extraction", files: await filesOf(MODEL, FILES), backend: "wasm" });
  return {
    note: runtime.reason,
    async embed(texts) {
      await runtime.run("feature-extraction", { texts, dimensions: null });
    },
  };
}

async function transformers(): Promise<Embedder> {
  const ask = asker<TransformersRequest, TransformersAnswer>(new Worker(new URL("./transformers.worker.ts", import.meta.url), { type: "module" }));
  const threads = navigator.hardwareConcurrency;
  await ask({ kind: "load", task: "feature-extraction", model: MODEL, dtype: "q8", threads });
  return {
    note: `${threads} threads`,
    async embed(texts) {
      await ask({ kind: "embed", texts });
    },
  };
}

export const EMBEDDERS: Readonly<Record<string, () => Promise<Embedder>>> = { Leasehold: leasehold, "transformers.js": transformers };
