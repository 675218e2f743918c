/**
 * The product's text task in a worker, on an engine whose runs are timed: what is not in them is the overhead.
 *
 * - Tokens in and pieces out go through tokenizer, sampler and sequence, as in `client/runtime/worker.ts`.
 */
import { chooseBackend } from "../../../client/runtime/backends/choose.ts";
import { startEngine, type Engine } from "../../../client/runtime/backends/engine.ts";
import { probeBrowser } from "../../../client/runtime/backends/probe.ts";
import { TokenRunner } from "../../../client/runtime/decode/token-runner.ts";
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
  const engine = timed(await startEngine({ backend: "wasm", threads: count, ortBase }, "heap"));
  if (textGeneration.engine !== "heap") throw new Error("text is generated on the heap");
  task = await textGeneration.prepare(new ModelFiles(files), engine, step, { memoryBytes: MEMORY });
  return { note: `${count} threads, heap ${engine.kind === "heap" ? Math.round(engine.ort.heapBytes / 1e6) : 0} MB`, times: [], runMs: 0, wholeMs: 0 };
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

const { run: runToken } = TokenRunner.prototype;
TokenRunner.prototype.run = function timedToken(...given) {
  const began = performance.now();
  const logits = runToken.apply(this, given);
  runMs += performance.now() - began;
  return logits;
};

/** The engine's own object, with another `open`. */
function timed(engine: Engine): Engine {
  if (engine.kind !== "heap") return engine;
  const { ort } = engine;
  const open = ort.open.bind(ort);
  ort.open = async (...given) => {
    const session = await open(...given);
    const run = session.run.bind(session);
    session.run = (...values) => {
      const began = performance.now();
      const made = run(...values);
      runMs += performance.now() - began;
      return made;
    };
    return session;
  };
  return engine;
}
