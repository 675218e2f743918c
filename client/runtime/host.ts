/**
 * The runtime as the page sees it: a model, loaded in a worker of its own, that can be called.
 *
 * - Calls run one after another; one that waits can be aborted at once.
 * - "auto" tries WebGPU, then WASM, each in a fresh worker: a failed start may poison what follows in the same one.
 * - A crash, a hang or a lost GPU fails the call with `runtime-crashed`; the next call loads the model anew. After a
 *   crash on WebGPU, "auto" goes on with WASM; where WebGPU was named it is tried again on a new device, and is
 *   `backend-unavailable` after a second crash soon after. `backend`, `threads` and `reason` say what runs now.
 * - A model that kernels of our own don't compute as they should is started once more without them, for good.
 * - A load gives way to the calls that run, this tenant's or another's (`giving-way.ts`).
 * - `close` ends the worker and gives all memory back; calls in flight and later ones fail with `aborted`.
 */
import type { Backend, Manifest } from "../../schema/contract/models.ts";
import type { SelfTest } from "../../schema/contract/self-test.ts";
import { TASKS } from "../../schema/contract/tasks.ts";
import { LeaseholdError, type ClientCode } from "../errors.ts";
import { orAborted } from "./abort.ts";
import { chooseBackend, MOST_THREADS, type Candidate } from "./backends/choose.ts";
import { probeBrowser } from "./backends/probe.ts";
import { callsUnderWay } from "./calls-under-way.ts";
import { timed } from "../timing.ts";
import { KernelFault } from "./decode/kernel-fault.ts";
import { PartFault } from "./tasks/part-fault.ts";
import { ORT_PATH } from "./ort-files.ts";
import { modelBudget } from "./memory-budget.ts";
import type { Answer, ArrivingFile, GivePart, LoadedFile, RunRequest, RuntimeFile, Stage, StoredFile } from "./protocol.ts";
import type { OcrBlock, OcrReading } from "./tasks/ocr/reading.ts";
import type { InputOf, NoteOf, OutputOf, PieceOf, TaskName } from "./tasks/registry.ts";
import { type AskOptions, type Patience, WorkerLink } from "./worker-link.ts";

export type { LoadedFile, OcrBlock, RuntimeFile, StoredFile };
export type { Point } from "./tasks/ocr/geometry.ts";

/** Files whose parts are still being read. */
export interface FilesOnTheirWay {
  readonly files: readonly ArrivingFile[];
  /**
   * Gives each part once, in any order, with its memory; those that were ready before, at once. Rejects where the rest
   * won't come. `due`: see `ArrivingPart`; a part that misses it has all files asked for once more.
   */
  deliver(give: GivePart): Promise<void>;
}

export type GivenFiles = readonly RuntimeFile[] | FilesOnTheirWay;

export interface RuntimeProgress {
  readonly stage: Stage;
}

export interface LoadOptions {
  readonly task: Manifest["task"];
  /**
   * A function is asked anew for each worker that gets them, so that nobody holds the files while the model runs; the
   * engine starts meanwhile.
   */
  readonly files: readonly StoredFile[] | (() => Promise<GivenFiles>);
  readonly backend: "auto" | Backend;
  /** Why "auto" is not to try WebGPU; without a full stop. */
  readonly gpuFault?: string | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RuntimeProgress) => void;
  /** From the manifest: a backend that misses it is not used. */
  readonly selfTest?: SelfTest;
  /** From the manifest: the model may have Loop, Scan or If. Default: it may not. */
  readonly allowControlFlow?: boolean;
  /** How many threads on WASM. Default: by the cores, at most four, and single tokens of text by as many of them as bring these soonest. */
  readonly threads?: number;
  /** How much memory the model may take. Default: by what the browser says of the device. */
  readonly memoryBytes?: number;
  /** The caller allows at least this, whatever the browser says. */
  readonly poolBytes?: number | undefined;
  /** The folder with onnxruntime-web's files. Default: `ORT_PATH` on this origin. */
  readonly ortBase?: string;
  /** How long the worker may be silent. */
  readonly patience?: { readonly load?: Patience; readonly run?: Patience };
}

export interface OcrResult extends OcrReading {
  readonly latencyMs: number;
}

export interface CallOptions<Name extends TaskName> {
  readonly signal?: AbortSignal;
  /** Parts of the answer, in order, before it is whole. */
  readonly onPiece?: (piece: PieceOf<Name>) => void;
  /** Called when the worker has the call, with what tells it a note. */
  readonly onSent?: (tell: (note: NoteOf<Name>) => void) => void;
}

export interface Runtime {
  readonly backend: Backend;
  readonly threads: number;
  /** Why this backend, in plain words. */
  readonly reason: string;
  /** One call of the model's task, or where it has them of its tensors (`raw`); another's is refused with `model-invalid`. */
  run<Name extends TaskName>(task: Name, input: InputOf<Name>, options?: CallOptions<Name>): Promise<OutputOf<Name>>;
  /** Tokens that such a call would count. */
  measure<Name extends TaskName>(task: Name, input: InputOf<Name>, options?: { readonly signal?: AbortSignal }): Promise<number>;
  readOcr(image: Blob, options?: { signal?: AbortSignal }): Promise<OcrResult>;
  close(): void;
}

/** Loading is silent while the engine (up to 27 MB) is fetched, so it gets more. */
const LOAD_PATIENCE: Patience = { silenceMs: 180_000, abortMs: 0 };
const RUN_PATIENCE: Patience = { silenceMs: 60_000, abortMs: 5_000 };
/** SwiftShader works on one step for minutes, and still works. */
const EMULATED_PATIENCE: Patience = { silenceMs: 600_000, abortMs: 5_000 };

export async function loadRuntime(options: LoadOptions): Promise<Runtime> {
  const { signal, threads } = options;
  if (threads !== undefined && !(Number.isSafeInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) throw new LeaseholdError("invalid-request", `threads is a whole number from 1 to ${MOST_THREADS}.`);
  // A newer control plane may know tasks that this client does not.
  if (!Object.hasOwn(TASKS, options.task)) throw new LeaseholdError("model-invalid", `This client runs no models for the task "${options.task}".`);
  const runtime = new HostedRuntime(options);
  await runtime.ready(signal);
  return runtime;
}

interface Running extends Candidate {
  readonly link: WorkerLink;
  /** What the model goes by now, where that is measured. */
  measuredThreads: number | null;
}

class HostedRuntime implements Runtime {
  readonly #options: LoadOptions;
  /** Why WebGPU is not tried again. */
  readonly #failures = new Map<Backend, string>();
  /** Why kernels of our own are not tried again; null while they are. */
  #withoutKernels: string | null = null;
  #running: Running | null = null;
  /** When a worker on WebGPU was last found dead. */
  #crashedMs = -Infinity;
  #last: Running | null = null;
  #turn: Promise<void> = Promise.resolve();
  /** Asked for, and not yet with a worker: an engine that does not start leaves them for the next. */
  #files: Promise<GivenFiles> | null = null;
  readonly #closing = new AbortController();

  constructor(options: LoadOptions) {
    this.#options = options;
    if (options.gpuFault !== undefined && options.backend === "auto") this.#failures.set("webgpu", options.gpuFault);
  }

  get backend(): Backend {
    return this.#now.backend;
  }

  get threads(): number {
    return this.#now.measuredThreads ?? this.#now.threads;
  }

  get reason(): string {
    const { reason, threads, measuredThreads } = this.#now;
    return measuredThreads === null || measuredThreads === threads ? reason : `${reason} Single tokens come soonest by ${measuredThreads === 1 ? "one thread" : `${measuredThreads} threads`}, as measured.`;
  }

  get #now(): Running {
    if (!this.#last) throw new Error("loadRuntime gives out loaded runtimes only");
    return this.#last;
  }

  ready(signal?: AbortSignal): Promise<unknown> {
    return this.#inTurn(signal, (stop) => this.#start(stop));
  }

  run<Name extends TaskName>(task: Name, input: InputOf<Name>, options: CallOptions<Name> = {}): Promise<OutputOf<Name>> {
    return this.#inTurn(options.signal, async (stop) => this.#run(await this.#start(stop), task, input, { ...options, signal: stop }));
  }

  measure<Name extends TaskName>(task: Name, input: InputOf<Name>, { signal }: { readonly signal?: AbortSignal } = {}): Promise<number> {
    return this.#inTurn(signal, async (stop) => {
      const answer = await this.#ask(await this.#start(stop), { kind: "measure", task, input }, { signal: stop });
      if (answer.kind !== "measured") throw new LeaseholdError("runtime-crashed", "The worker answered something else.");
      return answer.tokens;
    });
  }

  readOcr(image: Blob, { signal }: { signal?: AbortSignal } = {}): Promise<OcrResult> {
    return this.#inTurn(signal, async (stop) => {
      const running = await this.#start(stop);
      const began = performance.now();
      const output = await this.#run(running, "ocr", image, { signal: stop });
      return { ...output, latencyMs: performance.now() - began };
    });
  }

  close(): void {
    const closed = new LeaseholdError("aborted", "The model was closed.");
    this.#closing.abort(closed);
    this.#running?.link.close(closed);
  }

  /** What runs now, or a new start where nothing does. */
  async #start(signal: AbortSignal): Promise<Running> {
    const ended = this.#running?.link.end;
    if (this.#running && !ended) return this.#running;
    const { backend: wish, threads: asked } = this.#options;
    if (this.#running?.backend === "webgpu" && ended) {
      if (wish === "auto" || performance.now() - this.#crashedMs < SOON_MS) this.#failures.set("webgpu", `WebGPU stopped working here (${sentence(ended)})`);
      this.#crashedMs = performance.now();
    }
    this.#running = null;

    const failures = new Map(this.#failures);
    let isReadAgain = false;
    const probe = await orAborted(probeBrowser(wish !== "wasm"), signal);
    for (;;) {
      const choice = chooseBackend(wish, probe, failures, asked ?? null);
      if (!choice.ok) throw new LeaseholdError("backend-unavailable", `The model can't run in this browser: ${choice.why}.`);
      try {
        return await this.#startOn(choice.candidate, signal);
      } catch (error) {
        if (error instanceof KernelFault && this.#withoutKernels === null) {
          this.#withoutKernels = sentence(error);
          continue;
        }
        if (error instanceof PartFault && !isReadAgain) {
          isReadAgain = true;
          continue;
        }
        if (wish !== "auto" || !(error instanceof LeaseholdError) || !BACKEND_FAULTS.has(error.code)) throw error;
        failures.set(choice.candidate.backend, sentence(error));
        if (choice.candidate.backend === "webgpu") this.#failures.set("webgpu", sentence(error));
      }
    }
  }

  async #startOn(candidate: Candidate, signal: AbortSignal): Promise<Running> {
    const { task, onProgress, allowControlFlow = false, ortBase = new URL(ORT_PATH, location.origin).href, patience, selfTest, threads: asked, poolBytes, memoryBytes = modelBudget(navigator, poolBytes) } = this.#options;
    const files = this.#askForFiles();
    let measuredThreads: number | null;
    let remark: string | undefined;
    const link = new WorkerLink(new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: `leasehold ${task}` }));
    const unwatch = callsUnderWay.watch((areUnderWay) => link.tellCalls(areUnderWay));
    try {
      const { backend, threads, withoutJspi } = candidate;
      const how = { signal, patience: patience?.load ?? LOAD_PATIENCE, onStage: (stage: Stage) => onProgress?.({ stage }) };
      const [given] = await Promise.all([orAborted(files, signal), timed("worker and engine", () => link.ask({ kind: "start", task, backend, withoutJspi, threads, areThreadsFixed: asked !== undefined, ortBase }, how))]);
      this.#files = null;
      const options = { memoryBytes, allowControlFlow, ...(selfTest && { selfTest }), ...(this.#withoutKernels !== null && { withoutKernels: this.#withoutKernels }) };
      const load = (its: readonly RuntimeFile[]) => timed("load in the worker", () => link.ask({ kind: "load", files: its, options }, how));
      const [answer] = await ("deliver" in given ? Promise.all([load(given.files), link.feed((give) => given.deliver(give))]) : [await load(given)]);
      remark = answer.kind === "loaded" ? answer.remark : undefined;
      measuredThreads = threadsOf(answer);
    } catch (error) {
      link.close(asEnd(error));
      throw error;
    } finally {
      unwatch();
    }
    const reason = remark === undefined ? candidate.reason : `${candidate.reason} ${remark}.`;
    const running = { ...candidate, reason, link, measuredThreads };
    this.#running = running;
    this.#last = running;
    return running;
  }

  #askForFiles(): Promise<GivenFiles> {
    if (this.#files) return this.#files;
    const { files } = this.#options;
    const asked = typeof files === "function" ? files() : Promise.resolve(files);
    this.#files = asked;
    asked.catch(() => {
      if (this.#files === asked) this.#files = null; // whoever waits for them hears of it; the next start asks again
    });
    return asked;
  }

  async #run<Name extends TaskName>(running: Running, task: Name, input: InputOf<Name>, { signal, onPiece, onSent }: CallOptions<Name>): Promise<OutputOf<Name>> {
    // The worker answers for the task that it was asked for, or with a fault.
    const answer = await this.#ask(running, { kind: "run", task, input }, { signal, onPiece: (piece) => onPiece?.(piece as PieceOf<Name>), onSent: (tell) => onSent?.((note) => tell(note as NoteOf<TaskName>)) });
    if (answer.kind !== "done") throw new LeaseholdError("runtime-crashed", "The worker answered something else.");
    running.measuredThreads = threadsOf(answer);
    return answer.output as OutputOf<Name>;
  }

  #ask({ link, isEmulated }: Running, request: RunRequest, how: Omit<AskOptions, "patience">): ReturnType<WorkerLink["ask"]> {
    return link.ask(request, { ...how, patience: this.#options.patience?.run ?? (isEmulated ? EMULATED_PATIENCE : RUN_PATIENCE) }).finally(callsUnderWay.begin());
  }

  /** After all earlier calls, and after the worker has left what was aborted. */
  async #inTurn<T>(signal: AbortSignal | undefined, work: (stop: AbortSignal) => Promise<T>): Promise<T> {
    const stop = signal ? AbortSignal.any([this.#closing.signal, signal]) : this.#closing.signal;
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    try {
      await orAborted(before, stop);
      return await work(stop);
    } finally {
      void before.then(() => this.#running?.link.whenIdle()).then(resolve);
    }
  }
}

const threadsOf = (answer: Answer): number | null => ("threads" in answer ? answer.threads : null);

/** Crashes that are no further apart are likely to go on: what the model does is too much for this GPU. */
const SOON_MS = 5 * 60_000;

/** Faults that another backend may not have. */
const BACKEND_FAULTS: ReadonlySet<string> = new Set<ClientCode>(["backend-unavailable", "runtime-crashed"]);

/** An error's message, to stand inside another sentence. */
const sentence = ({ message }: LeaseholdError): string => message.replace(/\.$/, "");

const asEnd = (error: unknown): LeaseholdError => (error instanceof LeaseholdError ? error : new LeaseholdError("runtime-crashed", "The model's worker could not be started.", { cause: error }));
