/**
 * onnxruntime-web, started for one backend. Worker side.
 *
 * - One engine a worker: the memory of WebAssembly never shrinks, so it is freed by ending the worker.
 * - `startEngine` throws `backend-unavailable` where the engine can't start here; nothing of a model is involved.
 * - The trial session stays open: with its last session onnxruntime lets go of the graphics device.
 * - The WebGPU build holds the CPU kernels too: `openReference` gives the yardstick for the self-test.
 */
import type * as Ort from "onnxruntime-web";
import type { Backend } from "../../../schema/contract/models.ts";
import { LeaseholdError } from "../../errors.ts";
import { ORT_BUILDS } from "../ort-files.ts";
import { IDENTITY_MODEL } from "./identity-model.ts";

export interface EngineOptions {
  readonly backend: Backend;
  readonly threads: number;
  /** The folder with the files of `ORT_BUILDS`; ends with a slash. */
  readonly ortBase: string;
}

export interface FloatTensor {
  readonly tensor: Float32Array;
  readonly dims: readonly number[];
}

export interface Session {
  /** One input, one output, both float32. */
  run(input: FloatTensor): Promise<FloatTensor>;
  release(): Promise<void>;
}

export interface Engine {
  readonly backend: Backend;
  open(model: Uint8Array): Promise<Session>;
  /** The same model on the CPU kernels of this build. */
  openReference(model: Uint8Array): Promise<Session>;
  /** Resolves when the graphics device is gone; never on WASM. */
  readonly deviceLost: Promise<void>;
}

type OrtApi = typeof Ort;
type Providers = Ort.InferenceSession.SessionOptions["executionProviders"];

const PROVIDERS: Record<Backend, Providers> = { webgpu: [{ name: "webgpu" }], wasm: ["wasm"] };

export async function startEngine({ backend, threads, ortBase }: EngineOptions): Promise<Engine> {
  try {
    const ort: OrtApi = await import(/* @vite-ignore */ new URL(ORT_BUILDS[backend].api, ortBase).href);
    ort.env.wasm.wasmPaths = ortBase;
    ort.env.wasm.numThreads = threads;
    ort.env.logLevel = "error";
    const trial = await openSession(ort, IDENTITY_MODEL, PROVIDERS[backend]);
    const { tensor } = await trial.run({ tensor: new Float32Array([42]), dims: [1] });
    if (tensor[0] !== 42) throw new Error("the trial run gave a wrong result");
    return {
      backend,
      open: (model) => openSession(ort, model, PROVIDERS[backend]),
      openReference: (model) => openSession(ort, model, PROVIDERS.wasm),
      deviceLost: backend === "webgpu" ? deviceLost(ort) : new Promise(() => undefined),
    };
  } catch (error) {
    throw new LeaseholdError("backend-unavailable", `${backend === "webgpu" ? "WebGPU" : "WebAssembly"} could not be started: ${plainly(error)}.`, { cause: error });
  }
}

async function openSession(ort: OrtApi, model: Uint8Array, executionProviders: Providers): Promise<Session> {
  const session = await ort.InferenceSession.create(model, { executionProviders, logSeverityLevel: 3 });
  const [inputName] = session.inputNames;
  const [outputName] = session.outputNames;
  if (inputName === undefined || outputName === undefined) throw new Error("the model has no input or no output");
  return {
    async run({ tensor, dims }) {
      const { [outputName]: output } = await session.run({ [inputName]: new ort.Tensor("float32", tensor, dims) }, [outputName]);
      if (output?.type !== "float32") throw new Error(`the model answers with ${output?.type ?? "nothing"}, not float32`);
      return { tensor: (await output.getData()) as Float32Array, dims: output.dims };
    },
    release: () => session.release(),
  };
}

async function deviceLost(ort: OrtApi): Promise<void> {
  const device = await ort.env.webgpu.device;
  await device.lost;
}

/** The first line of what onnxruntime or the browser says, without its trailing full stop. */
export function plainly(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split("\n")[0] ?? "").slice(0, 300).replace(/\.\s*$/, "") || "no reason given";
}
