/**
 * onnxruntime-web's WebAssembly module itself, without the JavaScript API around it.
 *
 * - Why: the API copies every input in and every output out. Keys and values of a text would be copied with each
 *   token; here they stay in the heap, and one value is past and present.
 * - These exports are private: `REQUIRED_EXPORTS` names all that is used, and a test holds them to the installed version.
 *   Where one is missing, `startModule` throws `MissingExports`, and the caller goes on with the public API.
 * - Runs are synchronous: nothing else happens in the worker until one ends.
 */
import { ORT_BUILDS } from "../ort-files.ts";
import { loading } from "./engine-files.ts";

/** Element types as onnxruntime numbers them; ONNX has the same numbers. */
export const TYPE = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
export type HeapType = keyof typeof TYPE;
export const TYPE_BYTES: Record<HeapType, number> = { float32: 4, int32: 4, int64: 8, bool: 1, float16: 2 };

/** Bytes of a model's external data, given out in order of demand. */
export interface ExternalData {
  readonly byteLength: number;
  subarray(begin: number, end: number): Uint8Array;
}

interface Exports {
  readonly HEAPU8: Uint8Array;
  readonly mountExternalData: (path: string, data: ExternalData) => void;
  readonly unmountExternalData: () => void;
  readonly _malloc: (bytes: number) => number;
  readonly _free: (pointer: number) => void;
  readonly stackSave: () => number;
  readonly stackAlloc: (bytes: number) => number;
  readonly stackRestore: (stack: number) => void;
  readonly UTF8ToString: (pointer: number) => string;
  readonly stringToUTF8: (text: string, pointer: number, max: number) => void;
  readonly lengthBytesUTF8: (text: string) => number;
  readonly _OrtInit: (threads: number, logLevel: number) => number;
  readonly _OrtGetLastError: (code: number, message: number) => number;
  readonly _OrtCreateSessionOptions: (optimization: number, arena: number, memPattern: number, mode: number, profiling: number, profilePrefix: number, logId: number, logSeverity: number, logVerbosity: number, optimizedModelPath: number) => number;
  readonly _OrtAddSessionConfigEntry: (options: number, key: number, value: number) => number;
  readonly _OrtReleaseSessionOptions: (options: number) => number;
  readonly _OrtCreateSession: (model: number, bytes: number, options: number) => number | Promise<number>;
  readonly _OrtReleaseSession: (session: number) => number;
  readonly _OrtCreateTensor: (type: number, data: number, bytes: number, dims: number, rank: number, location: number) => number;
  readonly _OrtGetTensorData: (tensor: number, type: number, data: number, dims: number, rank: number) => number;
  readonly _OrtReleaseTensor: (tensor: number) => number;
  readonly _OrtFree: (pointer: number) => void;
  readonly _OrtRun: (session: number, inputNames: number, inputs: number, inputCount: number, outputNames: number, outputCount: number, outputs: number, options: number) => number | Promise<number>;
}

export const REQUIRED_EXPORTS: Record<keyof Exports, "function" | "object"> = {
  HEAPU8: "object", mountExternalData: "function", unmountExternalData: "function", _malloc: "function", _free: "function",
  stackSave: "function", stackAlloc: "function", stackRestore: "function", UTF8ToString: "function", stringToUTF8: "function",
  lengthBytesUTF8: "function", _OrtInit: "function", _OrtGetLastError: "function", _OrtCreateSessionOptions: "function",
  _OrtAddSessionConfigEntry: "function", _OrtReleaseSessionOptions: "function", _OrtCreateSession: "function", _OrtReleaseSession: "function",
  _OrtCreateTensor: "function", _OrtGetTensorData: "function", _OrtReleaseTensor: "function", _OrtFree: "function", _OrtRun: "function",
};

/** This version's module is not as this file knows it. */
export class MissingExports extends Error {}

/** A value in the heap: its handle, and what it is. */
export interface HeapTensor {
  readonly handle: number;
  readonly type: number;
  readonly dims: readonly number[];
  readonly pointer: number;
}

export interface OrtModule {
  readonly threads: number;
  readonly heapBytes: number;
  /** Throws where memory is out. */
  alloc(bytes: number): number;
  free(pointer: number): void;
  /** For at once: the heap may move when it grows. */
  bytes(pointer: number, length: number): Uint8Array;
  /** A value on memory of the caller's, who keeps it as long as the value lives. */
  tensor(type: HeapType, pointer: number, dims: readonly number[]): HeapTensor;
  /** What a run gave out. */
  read(handle: number): HeapTensor;
  release(handle: number): void;
  open(model: Uint8Array, external: ExternalData, config?: Readonly<Record<string, string>>): Promise<HeapSession>;
}

export interface HeapSession {
  /** Handles in the order of the names. An output given as 0 is made by the run, and is the caller's to release. */
  run(inputs: readonly number[], outputs: readonly number[]): number[];
  /** Must come before the first run. */
  bind(inputNames: readonly string[], outputNames: readonly string[]): void;
  release(): void;
}

/** As the rewritten models name their weights. */
export const EXTERNAL_PATH = "weights";
const ERRORS_ONLY = 3;
const ALL_OPTIMIZATIONS = 99;
const ON_CPU = 1;

/** `again`: what the module's name ends in (engine-files.ts). */
export async function startModule(ortBase: string, threads: number, again = ""): Promise<OrtModule> {
  const { default: factory } = await loading(import(/* @vite-ignore */ new URL(ORT_BUILDS.wasm.glue + again, ortBase).href) as Promise<{ default: (options: object) => Promise<object> }>);
  const module = await loading(factory({ numThreads: threads, locateFile: (name: string) => new URL(name, ortBase).href }));
  requireExports(module);
  const heap = new Heap(module, threads);
  heap.check(module._OrtInit(threads, ERRORS_ONLY), "start");
  return heap;
}

function requireExports(module: object): asserts module is Exports {
  const found = module as Record<string, unknown>;
  const missing = Object.entries(REQUIRED_EXPORTS).filter(([name, type]) => typeof found[name] !== type).map(([name]) => name);
  if (missing.length > 0) throw new MissingExports(`onnxruntime-web's module has no ${missing.join(", ")}`);
}

class Heap implements OrtModule {
  readonly threads: number;
  readonly #ort: Exports;

  constructor(ort: Exports, threads: number) {
    this.#ort = ort;
    this.threads = threads;
  }

  get heapBytes(): number {
    return this.#ort.HEAPU8.length;
  }

  alloc(bytes: number): number {
    const pointer = this.#ort._malloc(bytes) >>> 0;
    if (pointer === 0) throw new Error(`out of memory: ${bytes} bytes could not be had`);
    return pointer;
  }

  free(pointer: number): void {
    this.#ort._free(pointer);
  }

  bytes(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.#ort.HEAPU8.buffer, pointer, length);
  }

  tensor(type: HeapType, pointer: number, dims: readonly number[]): HeapTensor {
    const size = dims.reduce((product, dim) => product * dim, TYPE_BYTES[type]);
    const stack = this.#ort.stackSave();
    const dimsAt = this.#ort.stackAlloc(4 * dims.length);
    this.#words(dimsAt, dims.length).set(dims);
    const handle = this.#ort._OrtCreateTensor(TYPE[type], pointer, size, dimsAt, dims.length, ON_CPU);
    this.#ort.stackRestore(stack);
    this.check(handle === 0 ? 1 : 0, "make a tensor");
    return { handle, type: TYPE[type], dims, pointer };
  }

  read(handle: number): HeapTensor {
    const stack = this.#ort.stackSave();
    const at = this.#ort.stackAlloc(16);
    const code = this.#ort._OrtGetTensorData(handle, at, at + 4, at + 8, at + 12);
    const [type = 0, pointer = 0, dimsAt = 0, rank = 0] = this.#words(at, 4);
    this.#ort.stackRestore(stack);
    this.check(code, "read a tensor");
    const dims = [...this.#words(dimsAt, rank)];
    this.#ort._OrtFree(dimsAt);
    return { handle, type, dims, pointer };
  }

  release(handle: number): void {
    this.check(this.#ort._OrtReleaseTensor(handle), "release a tensor");
  }

  async open(model: Uint8Array, external: ExternalData, config: Readonly<Record<string, string>> = {}): Promise<HeapSession> {
    const ort = this.#ort;
    const options = ort._OrtCreateSessionOptions(ALL_OPTIMIZATIONS, 1, 1, 0, 0, 0, 0, ERRORS_ONLY, 0, 0);
    this.check(options === 0 ? 1 : 0, "set up a session");
    for (const [key, value] of Object.entries({ "session.load_model_format": "ONNX", ...config })) { // never as its own format: what was judged is ONNX
      const [keyAt, valueAt] = [this.#string(key), this.#string(value)];
      this.check(ort._OrtAddSessionConfigEntry(options, keyAt, valueAt), key);
      ort._free(keyAt);
      ort._free(valueAt);
    }
    const at = this.alloc(model.length);
    this.bytes(at, model.length).set(model);
    ort.mountExternalData(EXTERNAL_PATH, external);
    try {
      const session = await ort._OrtCreateSession(at, model.length, options);
      this.check(session === 0 ? 1 : 0, "open the model");
      return new ModuleSession(this, ort, session);
    } finally {
      ort.unmountExternalData();
      ort._free(at);
      ort._OrtReleaseSessionOptions(options);
    }
  }

  /** Names at fixed places, one after another, as pointers. */
  pointers(names: readonly string[]): number {
    const at = this.alloc(4 * Math.max(1, names.length));
    const strings = names.map((name) => this.#string(name));
    this.#words(at, names.length).set(strings);
    return at;
  }

  words(pointer: number, count: number): Uint32Array {
    return this.#words(pointer, count);
  }

  check(code: number, what: string): void {
    if (code === 0) return;
    const stack = this.#ort.stackSave();
    const at = this.#ort.stackAlloc(8);
    this.#ort._OrtGetLastError(at, at + 4);
    const [, message = 0] = this.#words(at, 2);
    this.#ort.stackRestore(stack);
    throw new Error(`could not ${what}: ${message === 0 ? "no reason given" : this.#ort.UTF8ToString(message)}`);
  }

  #words(pointer: number, count: number): Uint32Array {
    return new Uint32Array(this.#ort.HEAPU8.buffer, pointer, count);
  }

  #string(text: string): number {
    const length = this.#ort.lengthBytesUTF8(text) + 1;
    const at = this.alloc(length);
    this.#ort.stringToUTF8(text, at, length);
    return at;
  }
}

class ModuleSession implements HeapSession {
  readonly #heap: Heap;
  readonly #ort: Exports;
  readonly #session: number;
  #names: readonly [inputs: number, outputs: number] = [0, 0];
  #values: readonly [inputs: number, outputs: number] = [0, 0];

  constructor(heap: Heap, ort: Exports, session: number) {
    this.#heap = heap;
    this.#ort = ort;
    this.#session = session;
  }

  bind(inputNames: readonly string[], outputNames: readonly string[]): void {
    this.#names = [this.#heap.pointers(inputNames), this.#heap.pointers(outputNames)];
    this.#values = [this.#heap.alloc(4 * inputNames.length), this.#heap.alloc(4 * outputNames.length)];
  }

  run(inputs: readonly number[], outputs: readonly number[]): number[] {
    const [inputsAt, outputsAt] = this.#values;
    this.#heap.words(inputsAt, inputs.length).set(inputs);
    this.#heap.words(outputsAt, outputs.length).set(outputs);
    const code = this.#ort._OrtRun(this.#session, this.#names[0], inputsAt, inputs.length, this.#names[1], outputs.length, outputsAt, 0);
    if (typeof code !== "number") throw new Error("this build of onnxruntime-web runs asynchronously");
    this.#heap.check(code, "run the model");
    return [...this.#heap.words(outputsAt, outputs.length)];
  }

  release(): void {
    this.#heap.check(this.#ort._OrtReleaseSession(this.#session), "release a session");
  }
}
