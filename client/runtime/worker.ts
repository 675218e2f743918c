/**
 * The runtime worker: one model, on one backend, for as long as the worker lives.
 *
 * - Requests run one after another. An error with a code of ours answers its request and leaves the worker usable;
 *   any other error is a crash: the state of the engine is unknown, so the page ends this worker.
 */
import { LeaseholdError, type ErrorCode } from "../errors.ts";
import { plainly, startEngine, startSessions, type Engine } from "./backends/engine.ts";
import { MessageTurn } from "./message-turn.ts";
import type { Answer, FromRuntime, InputOf, LoadRequest, NoteOf, OutputOf, PieceOf, Request, RequestId, RunRequest, TaskName, ToRuntime } from "./protocol.ts";
import { inspectModels } from "./tasks/inspect-models.ts";
import { ModelFiles } from "./tasks/model-files.ts";
import { TASKS } from "./tasks/registry.ts";
import type { Call, PreparedTask, Step } from "./tasks/task.ts";

interface Loaded {
  readonly name: TaskName;
  readonly run: (input: InputOf<TaskName>, call: Call<PieceOf<TaskName>, NoteOf<TaskName>>) => Promise<OutputOf<TaskName>>;
}

const aborted = new Set<RequestId>();
const notes = new Map<RequestId, NoteOf<TaskName>[]>();
const messageTurn = new MessageTurn();
let loaded: Loaded | null = null;
let queue: Promise<void> = Promise.resolve();

const post = (message: FromRuntime): void => postMessage(message);

addEventListener("message", ({ data }: MessageEvent<ToRuntime>) => {
  if (data.kind === "abort") aborted.add(data.id);
  else if (data.kind === "note") notes.get(data.id)?.push(data.note);
  else queue = queue.then(() => serve(data.id, data));
});

async function serve(id: RequestId, request: Request): Promise<void> {
  const step: Step = async (stage) => {
    post(stage === undefined ? { kind: "alive", id } : { kind: "progress", id, stage });
    await messageTurn.next(); // lets an abort in
    if (aborted.has(id)) throw new LeaseholdError("aborted", "The call was aborted.");
  };
  notes.set(id, []);
  try {
    await step();
    post(request.kind === "load" ? await load(id, request, step) : await run(id, request, step));
  } catch (error) {
    post({ kind: "failed", id, fault: { code: codeOf(error), message: error instanceof LeaseholdError ? error.message : `The model stopped: ${plainly(error)}.` } });
  } finally {
    aborted.delete(id);
    notes.delete(id);
  }
}

async function load(id: RequestId, request: LoadRequest, step: Step): Promise<Answer> {
  loaded = await prepare(request.task, request, step);
  return { kind: "loaded", id };
}

async function prepare<Name extends TaskName>(name: Name, request: LoadRequest, step: Step): Promise<Loaded> {
  const adapter = TASKS[name];
  const files = new ModelFiles(request.files);
  files.require(adapter.files);
  await inspectModels(files, request.options.allowControlFlow === true);
  await step("compile");
  const task = await (adapter.engine === "heap"
    ? adapter.prepare(files, watched(await startEngine(request, "heap")), step, request.options)
    : adapter.prepare(files, watched(await startSessions(request)), step, request.options));
  return loadedAs(name, task);
}

/** `run` refuses calls of another task, so the input is this one's. */
const loadedAs = <Name extends TaskName>(name: Name, task: PreparedTask<InputOf<Name>, OutputOf<Name>, PieceOf<Name>, NoteOf<Name>>): Loaded => ({
  name,
  run: (input, call) => task.run(input as InputOf<Name>, call as Call<PieceOf<Name>, NoteOf<Name>>),
});

function watched<E extends Engine>(engine: E): E {
  if (engine.kind === "sessions") void engine.deviceLost.then(() => post({ kind: "lost", message: "The graphics device was lost" }));
  return engine;
}

async function run(id: RequestId, { task, input }: RunRequest, step: Step): Promise<Answer> {
  if (!loaded) throw new Error("no model is loaded");
  if (loaded.name !== task) throw new LeaseholdError("model-invalid", `This model is for ${loaded.name}, not for ${task}.`);
  return { kind: "done", id, output: await loaded.run(input, { step, emit: (piece) => post({ kind: "piece", id, piece }), notes: () => notes.get(id)?.splice(0) ?? [] }) };
}

const codeOf = (error: unknown): ErrorCode => (error instanceof LeaseholdError ? error.code : "runtime-crashed");
