/**
 * The runtime worker: one model, on one backend, for as long as the worker lives.
 *
 * - Requests run one after another. An error with a code of ours answers its request and leaves the worker usable;
 *   any other error is a crash: the state of the engine is unknown, so the page ends this worker.
 */
import { LeaseholdError, type ClientCode } from "../errors.ts";
import { plainly, startEngine } from "./backends/engine.ts";
import { MessageTurn } from "./message-turn.ts";
import type { Answer, FromRuntime, LoadRequest, Request, RequestId, RunRequest, TaskCalls, TaskName, ToRuntime } from "./protocol.ts";
import { ModelFiles } from "./tasks/model-files.ts";
import { TASKS } from "./tasks/registry.ts";
import type { PreparedTask, Step } from "./tasks/task.ts";

type Call = TaskCalls[TaskName];

const aborted = new Set<RequestId>();
const messageTurn = new MessageTurn();
let task: PreparedTask<Call["input"], Call["output"]> | null = null;
let queue: Promise<void> = Promise.resolve();

const post = (message: FromRuntime): void => postMessage(message);

addEventListener("message", ({ data }: MessageEvent<ToRuntime>) => {
  if (data.kind === "abort") aborted.add(data.id);
  else queue = queue.then(() => serve(data.id, data));
});

async function serve(id: RequestId, request: Request): Promise<void> {
  const step: Step = async (stage) => {
    post(stage === undefined ? { kind: "alive", id } : { kind: "progress", id, stage });
    await messageTurn.next(); // lets an abort in
    if (aborted.has(id)) throw new LeaseholdError("aborted", "The call was aborted.");
  };
  try {
    await step();
    post(request.kind === "load" ? await load(id, request, step) : await run(id, request, step));
  } catch (error) {
    post({ kind: "failed", id, fault: { code: codeOf(error), message: error instanceof LeaseholdError ? error.message : `The model stopped: ${plainly(error)}.` } });
  } finally {
    aborted.delete(id);
  }
}

async function load(id: RequestId, request: LoadRequest, step: Step): Promise<Answer> {
  const adapter = TASKS[request.task];
  const files = new ModelFiles(request.files);
  files.require(adapter.files);
  await step("compile");
  const engine = await startEngine(request);
  void engine.deviceLost.then(() => post({ kind: "lost", message: "The graphics device was lost" }));
  task = await adapter.prepare(files, engine, step);
  return { kind: "loaded", id };
}

async function run(id: RequestId, request: RunRequest, step: Step): Promise<Answer> {
  if (!task) throw new Error("no model is loaded");
  return { kind: "done", id, output: await task.run(request.input, step) };
}

const codeOf = (error: unknown): ClientCode => (error instanceof LeaseholdError ? (error.code as ClientCode) : "runtime-crashed");
