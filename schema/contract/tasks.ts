/** The tasks that models are published for. Made by `npm run docs` from client/runtime/tasks/registry.ts: change an adapter's facts, not this file. */
import type { TaskFacts } from "./task.ts";

export const TASKS = {
  "text-generation": { measure: "text-tokens", selfTests: ["tokens"], pipelines: ["text-generation"], architectures: ["ForCausalLM"] },
  "embeddings": { measure: "text-tokens", selfTests: ["embedding", "tensors"], pipelines: ["feature-extraction", "sentence-similarity"], architectures: [] },
  "feature-extraction": { measure: "text-tokens", selfTests: ["embedding", "tensors"], pipelines: [], architectures: [] },
  "text-classification": { measure: "text-tokens", selfTests: ["tensors"], pipelines: ["text-classification"], architectures: ["ForSequenceClassification"] },
  "token-classification": { measure: "text-tokens", selfTests: ["tensors"], pipelines: ["token-classification"], architectures: ["ForTokenClassification"] },
  "zero-shot-classification": { measure: "text-tokens", selfTests: ["tensors"], pipelines: ["zero-shot-classification"], architectures: [] },
  "text-ranking": { measure: "text-tokens", selfTests: ["tensors"], pipelines: ["text-ranking"], architectures: [] },
  "image-classification": { measure: "image-tokens", selfTests: ["tensors"], pipelines: ["image-classification"], architectures: ["ForImageClassification"] },
  "image-embeddings": { measure: "image-tokens", selfTests: ["tensors"], pipelines: ["image-feature-extraction"], architectures: [] },
  "ocr": { measure: "image-tokens", selfTests: ["tensors"], pipelines: [], architectures: [] },
  "raw": { measure: "per-run", selfTests: ["tensors"], pipelines: [], architectures: [] },
} as const satisfies Readonly<Record<string, TaskFacts>>;
