/**
 * The product's text task in a worker, on threads whose runs are timed: what is not in them is the overhead.
 *
 * - Tokens in and pieces out go through tokenizer, sampler and sequence, as in `client/runtime/worker.ts`.
 */
import { chooseBackend } from "../../../client/runtime/backends/choose.ts";
import { engineOnDemand } from "../../../client/runtime/backends/engine.ts";
import { probeBrowser } from "../../../client/runtime/backends/probe.ts";
import { Hired } from "../../../client/runtime/decode/kernel/threads.ts";
import { MessageTurn } from "../../../client/runtime/message-turn.ts";
import { ModelFiles } from "../../../client/runtime/tasks/model-files.ts";
import type { GenerateEvent, GenerateInput } from "../../../client/runtime/tasks/text-generation/request.ts";
import { textGeneration } from "../../../client/runtime/tasks/text-generation/text-generation.ts";
import type { LeaseholdAnswer, LeaseholdRequest } from "./leasehold-protocol.ts";

type Prepared = Awaited<ReturnType<typeof textGeneration.prepare>>;

const MEMORY = 3e9;
const messageTurn = new MessageTurn();
const step = () => messageTurn.next();
let task: Prepared | null = null;
let runMs = 0;
let threadsHired = 0;
let memory: WebAssembly.Memory | null = null;

addEventListener("message", ({ data }: MessageEvent<LeaseholdRequest>) => {
  (data.kind === "load" ? load(data) : generate(data)).then(
    (answer) => postMessage({ answer }),
    (error: unknown) => postMessage({ error: String(error) }),
  );
});

async function load({ files, threads, ortBase }: Extract<LeaseholdRequest, { kind: "load" }>): Promise<LeaseholdAnswer> {
  const choice = chooseBackend("wasm", await probeBrowser(false), new Map());
  if (!choice.ok) throw new Error(choice.why);
  const count = threads || choice.candidate.threads;
  if (textGeneration.engine !== "on-demand") throw new Error("text generation starts no engine before it needs one");
  task = await textGeneration.prepare(new ModelFiles(files), engineOnDemand({ backend: "wasm", threads: count, ortBase }), step, { memoryBytes: MEMORY });
  return { note: `${threadsHired} threads, memory ${Math.round((memory?.buffer.byteLength ?? 0) / 1e6)} MB`, times: [], runMs: 0, wholeMs: 0 };
}

async function generate({ ids, count }: Extract<LeaseholdRequest, { kind: "generate" }>): Promise<LeaseholdAnswer> {
  if (!task) throw new Error("nothing is loaded");
  const input: GenerateInput = { kind: "generate", prompt: { kind: "tokens", ids }, sampling: { temperature: 0 }, maxTokens: count, stop: [], choices: 1, logprobs: null, format: { type: "text" }, hold: null };
  const times: number[] = [];
  const began = performance.now();
  const emit = (event: GenerateEvent) => {
    if (event.kind === "piece") while (times.length < event.outputTokens) times.push(performance.now() - began);
  };
  runMs = 0;
  await task.run(input, { step, emit, notes: () => [] });
  return { note: "", times, runMs, wholeMs: performance.now() - began };
}

const { enlist } = Hired.prototype;
Hired.prototype.enlist = async function timedThreads(...given) {
  const threads = await enlist.apply(this, given);
  [memory] = given;
  threadsHired = threads.count;
  return {
    ...threads,
    run(...run) {
      const began = performance.now();
      threads.run(...run);
      runMs += performance.now() - began;
    },
  };
};
