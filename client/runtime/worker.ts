/**
 * The runtime worker: one model, on one backend, for as long as the worker lives.
 *
 * - `start` brings up the engine, `load` takes a model to it: files may still be on their way while the engine starts.
 * - Requests run one after another. An error with a code of ours answers its request and leaves the worker usable;
 *   any other error is a crash: the state of the engine is unknown, so the page ends this worker.
 */
import { LeaseholdError } from "../errors.ts";
import { engineOnDemand, plainly, startSessions, type Engine } from "./backends/engine.ts";
import { Listening } from "./bell.ts";
import { faultOf } from "./faults.ts";
import { GivingWay } from "./giving-way.ts";
import { timed, timing } from "../timing.ts";
import { MessageTurn } from "./message-turn.ts";
import type { Answer, FromRuntime, LoadRequest, ModelOptions, Request, RequestId, RunRequest, StartRequest, ToRuntime } from "./protocol.ts";
import { Arrivals } from "./tasks/file-content.ts";
import { inspectModels } from "./tasks/inspect-models.ts";
import { ModelFiles } from "./tasks/model-files.ts";
import type { RawCall, RawResult } from "./tasks/raw/tensors.ts";
import { type InputOf, isSameTask, type NoteOf, type OutputOf, type PieceOf, type TaskName, TASKS } from "./tasks/registry.ts";
import type { Call, PreparedTask, Step, TaskAdapter } from "./tasks/task.ts";

interface Loaded {
  readonly name: TaskName;
  readonly threads: () => number | null;
  readonly remark: string | undefined;
  /** Null where the task can't tell before it runs. */
  readonly measure: ((input: InputOf<TaskName>, step: Step) => number | Promise<number>) | null;
  readonly run: (input: InputOf<TaskName>, call: Call<PieceOf<TaskName>, NoteOf<TaskName>>) => Promise<OutputOf<TaskName>>;
  /** Null where the model has no tensors of its own to name. */
  readonly tensors: ((call: RawCall, step: Step) => Promise<RawResult>) | null;
}

const aborted = new Set<RequestId>();
const notes = new Map<RequestId, NoteOf<TaskName>[]>();
const messageTurn = new MessageTurn();
const listening = new Listening();
const arrivals = new Arrivals();
/** Of the load, to calls of other models. */
const givingWay = new GivingWay();
let load: ((request: LoadRequest, step: Step) => Promise<Loaded>) | null = null;
let loaded: Loaded | null = null;
let queue: Promise<void> = Promise.resolve();

const post = (message: FromRuntime): void => postMessage(message);

addEventListener("message", ({ data }: MessageEvent<ToRuntime>) => {
  if (data.kind === "bell") return listening.to(data.bell);
  listening.received(data.kind === "abort");
  if (data.kind === "calls") givingWay.hear(data.areUnderWay);
  else if (data.kind === "part") arrivals.give(data);
  else if (data.kind === "abort") aborted.add(data.id);
  else if (data.kind === "note") notes.get(data.id)?.push(data.note);
  else queue = queue.then(() => serve(data.id, data));
});

async function serve(id: RequestId, request: Request): Promise<void> {
  const stop = async (message: FromRuntime): Promise<void> => {
    post(message);
    await messageTurn.next(); // lets an abort in
    listening.stopped(performance.now());
    if (aborted.has(id)) throw new LeaseholdError("aborted", "The call was aborted.");
  };
  const step: Step = async (stage) => {
    if (request.kind === "start" || request.kind === "load") await givingWay.rest();
    if (stage !== undefined) await stop({ kind: "progress", id, stage });
    else if (listening.isDue(performance.now())) await stop({ kind: "alive", id });
  };
  notes.set(id, []);
  try {
    await stop({ kind: "alive", id });
    givingWay.begin();
    post(await answer(id, request, step));
  } catch (error) {
    post({ kind: "failed", id, fault: faultOf(error instanceof LeaseholdError ? error : new LeaseholdError("runtime-crashed", `The model stopped: ${plainly(error)}.`)) });
  } finally {
    aborted.delete(id);
    notes.delete(id);
  }
}

async function answer(id: RequestId, request: Request, step: Step): Promise<Answer> {
  switch (request.kind) {
    case "start":
      await step("compile");
      load = await timed("engine", () => started(request.task, request));
      return { kind: "started", id };
    case "load":
      if (!load) throw new Error("no engine is started");
      loaded = await load(request, step).finally(() => arrivals.end()); // a session has taken its own copy
      return { kind: "loaded", id, ...(loaded.remark !== undefined && { remark: loaded.remark }), threads: loaded.threads() };
    case "measure":
      return measure(id, request, step);
    case "run":
      return run(id, request, step);
  }
}

/** The engine runs: gives what takes the model's files to it. */
async function started<Name extends TaskName>(name: Name, request: StartRequest): Promise<(request: LoadRequest, step: Step) => Promise<Loaded>> {
  const adapter = TASKS[name];
  const prepare = await preparing(adapter, request);
  return async ({ files: given, options }, step) => {
    const files = new ModelFiles(given, arrivals);
    files.require(adapter.files);
    const judged = timed("structure", () => inspectModels(files, options.allowControlFlow === true));
    files.checked = Promise.all([judged, timed("arrival", () => files.arrived())]).then(() => undefined);
    files.checked.then(() => givingWay.begin(), () => undefined); // whoever waits for it hears of a failure
    let end = timing("files beside the model");
    const staged: Step = (stage) => {
      if (stage !== undefined) {
        end();
        end = timing(stage);
      }
      return step(stage);
    };
    try {
      if (!adapter.isAhead) await Promise.all([files.checked, files.verified()]);
      return loadedAs(name, await prepare(files, staged, options));
    } catch (error) {
      if (!(error instanceof LeaseholdError && error.code === "aborted")) await files.verified(); // a damaged file fails in many ways, and is told as what it is
      throw error;
    } finally {
      end();
    }
  };
}

async function preparing<Input, Output, Piece, Note>(adapter: TaskAdapter<Input, Output, Piece, Note>, request: StartRequest): Promise<(files: ModelFiles, step: Step, options: ModelOptions) => Promise<PreparedTask<Input, Output, Piece, Note>>> {
  if (adapter.engine === "on-demand") {
    const engine = engineOnDemand(request);
    if (request.backend === "webgpu") watched(await engine.start()); // which files may wait for; on WASM it may not be needed at all
    return (files, step, options) => adapter.prepare(files, engine, step, options);
  }
  const engine = watched(await startSessions(request));
  return (files, step, options) => adapter.prepare(files, engine, step, options);
}

/** `run` refuses calls of another task, so the input is this one's. */
const loadedAs = <Name extends TaskName>(name: Name, task: PreparedTask<InputOf<Name>, OutputOf<Name>, PieceOf<Name>, NoteOf<Name>>): Loaded => ({
  name,
  threads: () => task.threads?.() ?? null,
  remark: task.remark,
  measure: task.measure ? async (input, step) => (await task.measure?.(input as InputOf<Name>, step)) ?? 0 : null,
  tensors: task.tensors?.bind(task) ?? null,
  run: (input, call) => task.run(input as InputOf<Name>, call as Call<PieceOf<Name>, NoteOf<Name>>),
});

function watched<E extends Engine>(engine: E): E {
  if (engine.kind === "sessions") void engine.deviceLost.then(() => post({ kind: "lost", message: "The graphics device was lost" }));
  return engine;
}

async function measure(id: RequestId, { task, input }: RunRequest, step: Step): Promise<Answer> {
  const model = loadedFor(task);
  if (!model.measure || !isSameTask(model.name, task)) throw new LeaseholdError("invalid-request", `Calls of ${task} have their own methods.`);
  try {
    return { kind: "measured", id, tokens: await model.measure(input, step) };
  } catch (error) {
    if (error instanceof LeaseholdError) throw error;
    // Nothing has run: the input is at fault, and the model is whole.
    throw new LeaseholdError("invalid-request", `This is no input for ${model.name}: ${plainly(error)}.`, { cause: error });
  }
}

async function run(id: RequestId, { task, input }: RunRequest, step: Step): Promise<Answer> {
  const model = loadedFor(task);
  const call: Call<PieceOf<TaskName>, NoteOf<TaskName>> = { step, emit: (piece) => post({ kind: "piece", id, piece }), notes: () => notes.get(id)?.splice(0) ?? [] };
  const output = task === "raw" && model.tensors ? await model.tensors(input as RawCall, step) : await model.run(input, call);
  return { kind: "done", id, output, threads: model.threads() };
}

/** Named tensors go to a model of any task that has them. */
function loadedFor(task: TaskName): Loaded {
  if (!loaded) throw new Error("no model is loaded");
  if (isSameTask(loaded.name, task) || (task === "raw" && loaded.tensors)) return loaded;
  if (task === "raw") throw new LeaseholdError("model-invalid", `Models for ${loaded.name} are not run by named tensors: here they are more than one graph that keeps nothing between runs. Publish the graph for the task "raw" too.`);
  throw new LeaseholdError("model-invalid", `This model is for ${loaded.name}, not for ${task}.`);
}
