/**
 * onnxruntime-web, started for one backend. Worker side.
 *
 * - One engine a worker: the memory of WebAssembly never shrinks, so it is freed by ending the worker.
 * - `startEngine` throws `backend-unavailable` where the engine can't start here; nothing of a model is involved. Files of it
 *   that don't come are `network-failed`: another try may have them, so no backend is passed over for it.
 * - Where the browser has no JSPI, WebGPU is the asyncify build's: larger and slower to wait, else the same.
 * - The trial session stays open: with its last session onnxruntime lets go of the graphics device.
 * - The WebGPU build holds the CPU kernels too: `openReference` gives the yardstick for the self-test.
 * - A task that keeps state between runs asks for the "heap": on WASM it gets the module without the API around it,
 *   where this version's module has what that takes; else, and on WebGPU, sessions of named tensors. It gets it "on
 *   demand": on WASM nothing of onnxruntime is fetched before it is asked for.
 */
import type * as Ort from "onnxruntime-web";
import type { Backend } from "../../../schema/contract/models.ts";
import { LeaseholdError } from "../../errors.ts";
import { ORT_BUILDS, PARTED_FILES, servedAs, type OrtBuild } from "../ort-files.ts";
import { loading, notLoaded, startWhereFilesCome } from "./engine-files.ts";
import { IDENTITY_MODEL } from "./identity-model.ts";
import { joinParts } from "./join-parts.ts";
import { KeptModule } from "./kept-module.ts";
import { MissingExports, startModule, type OrtModule } from "./ort-module.ts";

export interface EngineOptions {
  readonly backend: Backend;
  /** WebGPU by the build that does without. */
  readonly withoutJspi?: boolean;
  readonly threads: number;
  /** The caller named that number: nothing goes by fewer. */
  readonly areThreadsFixed: boolean;
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
  readonly named: Ort.InferenceSession;
  release(): Promise<void>;
}

export type OrtApi = typeof Ort;
export type SessionOptions = Ort.InferenceSession.SessionOptions;
export type EngineKind = "sessions" | "on-demand";

export type Engine = SessionEngine | HeapEngine;

export interface SessionEngine {
  readonly kind: "sessions";
  readonly backend: Backend;
  open(model: Uint8Array): Promise<Session>;
  /** The same model on the CPU kernels of this build. */
  openReference(model: Uint8Array): Promise<Session>;
  /** For more than one tensor in and one out. */
  readonly api: OrtApi;
  openNamed(model: Uint8Array, options?: SessionOptions): Promise<Ort.InferenceSession>;
  /** On WebGPU, what is run again with the same shapes is played back; `null` where this build or page won't have it. */
  openRecording(model: Uint8Array, options?: SessionOptions): Promise<Ort.InferenceSession | null>;
  /** Resolves when the graphics device is gone; never on WASM. */
  readonly deviceLost: Promise<void>;
}

export interface HeapEngine {
  readonly kind: "heap";
  readonly backend: "wasm";
  readonly ort: OrtModule;
}

type Providers = SessionOptions["executionProviders"];

/** Never as onnxruntime's own format, whatever the bytes look like: what was judged is ONNX. */
const SETTINGS = { logSeverityLevel: 3, extra: { session: { load_model_format: "ONNX" } } } as const satisfies SessionOptions;

const PROVIDERS: Record<Backend, Providers> = { webgpu: [{ name: "webgpu" }], wasm: ["wasm"] };

/** An engine that starts when it is first asked for. */
export interface EngineOnDemand {
  readonly backend: Backend;
  readonly threads: number;
  readonly areThreadsFixed: boolean;
  start(): Promise<Engine>;
}

export function engineOnDemand(options: EngineOptions): EngineOnDemand {
  let started: Promise<Engine> | null = null;
  return { backend: options.backend, threads: options.threads, areThreadsFixed: options.areThreadsFixed, start: () => (started ??= startEngine(options)) };
}

async function startEngine(options: EngineOptions): Promise<Engine> {
  const { backend, ortBase, threads } = options;
  if (backend !== "wasm") return startSessions(options);
  try {
    return { kind: "heap", backend, ort: await started(backend, filesOf([ORT_BUILDS.wasm.glue, ORT_BUILDS.wasm.wasm], ortBase), (again) => startModule(ortBase, threads, again)) };
  } catch (error) {
    if (error instanceof MissingExports) return startSessions(options);
    throw error;
  }
}

export function startSessions(options: EngineOptions): Promise<SessionEngine> {
  const build = ORT_BUILDS[options.backend === "webgpu" && options.withoutJspi ? "webgpu-without-jspi" : options.backend];
  return started(options.backend, filesOf([build.api, build.glue, build.wasm], options.ortBase), (again) => startBuild(build, options, again));
}

const filesOf = (names: readonly string[], ortBase: string): URL[] => names.flatMap(servedAs).map(({ name }) => new URL(name, ortBase));

async function started<T>(backend: Backend, files: readonly URL[], start: (again: string) => Promise<T>): Promise<T> {
  try {
    return await startWhereFilesCome(files, start);
  } catch (error) {
    throw error instanceof MissingExports || (error instanceof LeaseholdError && error.code === "network-failed") ? error : notStarted(backend, error);
  }
}

async function startBuild({ api, glue, wasm }: OrtBuild, { backend, threads, ortBase }: EngineOptions, again: string): Promise<SessionEngine> {
  const parted = PARTED_FILES[wasm];
  const importing = loading(import(/* @vite-ignore */ new URL(api + again, ortBase).href) as Promise<OrtApi>);
  importing.catch(() => undefined); // heard of below: without a network the parts say so, and an import says nothing
  const binary = parted ? await joinParts(ortBase, wasm, parted) : null;
  const ort = await importing;
  if (binary) ort.env.wasm.wasmBinary = binary;
  const glueUrl = new URL(glue + again, ortBase);
  const kept = backend === "webgpu" ? await KeptModule.wrap(glueUrl) : null;
  ort.env.wasm.wasmPaths = { mjs: kept?.url ?? glueUrl.href, wasm: new URL(wasm, ortBase).href };
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  const trial = await openSession(ort, IDENTITY_MODEL, PROVIDERS[backend]).catch((error: unknown) => {
    throw globalThis.leaseholdOrt ? error : notLoaded(error); // nobody says so of a module that isn't kept
  });
  const { tensor } = await trial.run({ tensor: new Float32Array([42]), dims: [1] });
  if (tensor[0] !== 42) throw new Error("the trial run gave a wrong result");
  const openNamed: SessionEngine["openNamed"] = (model, more = {}) => ort.InferenceSession.create(model, { executionProviders: PROVIDERS[backend], ...SETTINGS, ...more });
  return {
    kind: "sessions",
    backend,
    api: ort,
    openNamed,
    openRecording: async (model, more) => (await kept?.recording(() => openNamed(model, more))) ?? null,
    open: (model) => openSession(ort, model, PROVIDERS[backend]),
    openReference: (model) => openSession(ort, model, PROVIDERS.wasm),
    deviceLost: backend === "webgpu" ? deviceLost(ort) : new Promise(() => undefined),
  };
}

const notStarted = (backend: Backend, error: unknown): LeaseholdError =>
  new LeaseholdError("backend-unavailable", `${backend === "webgpu" ? "WebGPU" : "WebAssembly"} could not be started: ${plainly(error)}.`, { cause: error });

async function openSession(ort: OrtApi, model: Uint8Array, executionProviders: Providers): Promise<Session> {
  const session = await ort.InferenceSession.create(model, { executionProviders, ...SETTINGS });
  const [inputName] = session.inputNames;
  const [outputName] = session.outputNames;
  if (inputName === undefined || outputName === undefined) throw new Error("the model has no input or no output");
  return {
    named: session,
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
