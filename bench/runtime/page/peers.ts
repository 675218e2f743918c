/**
 * What the benches use of the peers, as far as they use it. `bench:runtime` installs the packages that `peers/` pins
 * into `.leasehold/peers`, apart from the project's own, so nothing here can import their types.
 */
export interface Transformers {
  readonly env: { allowRemoteModels: boolean; allowLocalModels: boolean; localModelPath: string; backends: { onnx: { wasm: { wasmPaths: { mjs: string; wasm: string }; numThreads: number } } } };
  readonly Tensor: new (type: "int64", data: BigInt64Array, dims: readonly number[]) => unknown;
  readonly AutoTokenizer: { from_pretrained: (model: string) => Promise<PeerTokenizer> };
  readonly pipeline: (task: "feature-extraction", model: string, options: { dtype: string; device: string }) => Promise<(texts: readonly string[], options: { pooling: "mean"; normalize: boolean }) => Promise<unknown>>;
  readonly AutoModelForCausalLM: { from_pretrained: (model: string, options: { dtype: string; device: string }) => Promise<PeerModel> };
}

export interface PeerTokenizer {
  encode: (text: string) => number[];
  decode: (ids: readonly number[]) => string;
}

interface PeerModel {
  generate: (options: { inputs: unknown; attention_mask: unknown; max_new_tokens: number; min_new_tokens: number; do_sample: boolean; streamer: { put: (ids: unknown) => void; end: () => void } }) => Promise<unknown>;
}

export interface WllamaModule {
  readonly Wllama: new (paths: { default: string }, config?: { suppressNativeLog: boolean }) => Wllama;
}

export interface Wllama {
  loadModel: (blobs: readonly Blob[], options: { n_ctx: number; n_threads: number; n_gpu_layers: number }) => Promise<void>;
  getNumThreads: () => number;
  createCompletion: (options: { prompt: string; max_tokens: number; temperature: number; cache_prompt: boolean; stream: true; onData: (chunk: { choices: { text: string }[] }) => void }) => Promise<void>;
}

const PEERS = "/.leasehold/peers/node_modules/";
export const TRANSFORMERS_URL = `${PEERS}@huggingface/transformers/dist/transformers.min.js`;
export const TRANSFORMERS_ORT = `${PEERS}onnxruntime-web/dist/`;
export const WLLAMA_URL = `${PEERS}@wllama/wllama/esm/index.js`;
export const WLLAMA_WASM = `${PEERS}@wllama/wllama/esm/wasm/wllama.wasm`;
