/**
 * The page's end of one runtime worker.
 *
 * - Every `ask` settles: by its answer, by `aborted` at once when its signal fires, or by `runtime-crashed` when the
 *   worker dies, says nothing for too long, or the link is ended.
 * - What can't be sent (a function in it) is `invalid-request`, and was never asked.
 * - An ended link stays ended; its worker is gone, with all its memory.
 * - While parts of files are on their way the worker has nothing to say, and is not held to its patience.
 * - The worker of an aborted ask gets a moment to come to its next step; a worker that doesn't is ended.
 */
import { LeaseholdError } from "../errors.ts";
import { abortedError } from "./abort.ts";
import { newBell, ring } from "./bell.ts";
import { errorOf } from "./faults.ts";
import type { Answer, FromRuntime, GivePart, Request, RequestId, Stage, ToRuntime } from "./protocol.ts";
import type { NoteOf, PieceOf, TaskName } from "./tasks/registry.ts";

export interface Patience {
  /** How long a worker may be silent while it has something to do. */
  readonly silenceMs: number;
  /** How long after an abort. */
  readonly abortMs: number;
}

export interface AskOptions {
  readonly patience: Patience;
  readonly signal?: AbortSignal;
  readonly onStage?: (stage: Stage) => void;
  readonly onPiece?: (piece: PieceOf<TaskName>) => void;
  /** Called at once, with what tells this request a note. */
  readonly onSent?: (tell: (note: NoteOf<TaskName>) => void) => void;
}

interface Pending {
  readonly options: AskOptions;
  readonly settle: (outcome: Answer | LeaseholdError) => void;
  isAborted: boolean;
}

type Success = Exclude<Answer, { kind: "failed" }>;

export class WorkerLink {
  readonly #worker: Worker;
  readonly #bell = newBell();
  readonly #pending = new Map<RequestId, Pending>();
  readonly #onIdle: (() => void)[] = [];
  #nextId = 1;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #end: LeaseholdError | null = null;
  #isFed = false;

  constructor(worker: Worker) {
    this.#worker = worker;
    if (this.#bell) worker.postMessage({ kind: "bell", bell: this.#bell } satisfies ToRuntime);
    worker.addEventListener("message", ({ data }: MessageEvent<FromRuntime>) => this.#receive(data));
    worker.addEventListener("messageerror", () => this.#crash("The model's worker sent what can't be read"));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#crash(`The model's worker crashed (${event.message || "its script could not be loaded"})`);
    });
  }

  /** Why it ended; `null` while it lives. */
  get end(): LeaseholdError | null {
    return this.#end;
  }

  ask(request: Request, options: AskOptions): Promise<Success> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(abortedError(signal));
    if (this.#end) return Promise.reject(this.#end);
    const id = this.#nextId++;
    return new Promise<Success>((resolve, reject) => {
      const pending: Pending = {
        options,
        isAborted: false,
        settle(outcome) {
          signal?.removeEventListener("abort", onAbort);
          if (outcome instanceof LeaseholdError) reject(outcome);
          else if (outcome.kind === "failed") reject(errorOf(outcome.fault));
          else resolve(outcome);
        },
      };
      const onAbort = () => {
        pending.isAborted = true;
        pending.settle(abortedError(signal ?? {}));
        this.#send({ kind: "abort", id });
        this.#watch();
      };
      signal?.addEventListener("abort", onAbort);
      this.#pending.set(id, pending);
      try {
        this.#send({ ...request, id });
      } catch (cause) {
        this.#pending.delete(id);
        const [code, why] = request.kind === "run" || request.kind === "measure" ? (["invalid-request", "The call holds something that can't be handed to the model's worker, a function perhaps. Give plain data."] as const) : (["runtime-crashed", "The model could not be handed to its worker."] as const);
        return pending.settle(new LeaseholdError(code, why, { cause }));
      }
      options.onSent?.((note) => {
        if (this.#pending.has(id)) this.#send({ kind: "note", id, note });
      });
      this.#watch();
    });
  }

  /** Gives it the parts of files, as they come. */
  async feed(deliver: (give: GivePart) => Promise<void>): Promise<void> {
    this.#isFed = true;
    this.#watch();
    await deliver((part, bytes, due) => {
      if (!this.#end) this.#send({ kind: "part", part, bytes, due });
    });
    this.#isFed = false;
    this.#watch();
  }

  /** Whether calls of other models run: a worker that loads gives way to them. */
  tellCalls(areUnderWay: boolean): void {
    if (!this.#end) this.#send({ kind: "calls", areUnderWay });
  }

  /** Resolves when the worker has nothing more to do, aborted work included, or is ended. */
  whenIdle(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
    });
  }

  close(reason: LeaseholdError): void {
    if (this.#end) return;
    this.#end = reason;
    clearTimeout(this.#watchdog);
    this.#worker.terminate();
    const unanswered = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of unanswered) pending.settle(reason);
    this.#wakeIdle();
  }

  #send(message: ToRuntime): void {
    this.#worker.postMessage(message, memoryOf(message));
    if (this.#bell) ring(this.#bell);
  }

  #receive(message: FromRuntime): void {
    if (message.kind === "lost") return this.#crash(message.message);
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    switch (message.kind) {
      case "progress":
        if (!pending.isAborted) pending.options.onStage?.(message.stage);
        break;
      case "piece":
        if (!pending.isAborted) pending.options.onPiece?.(message.piece);
        break;
      case "alive":
        break;
      case "started":
      case "loaded":
      case "measured":
      case "done":
      case "failed":
        this.#pending.delete(message.id);
        pending.settle(message);
        if (message.kind === "failed" && message.fault.code === "runtime-crashed") this.close(errorOf(message.fault));
        else if (this.#pending.size === 0) this.#wakeIdle();
    }
    this.#watch();
  }

  #crash(why: string): void {
    this.close(new LeaseholdError("runtime-crashed", `${why}. The next call starts it anew.`));
  }

  #wakeIdle(): void {
    for (const wake of this.#onIdle.splice(0)) wake();
  }

  /** From now on, silence for the shortest patience of what is pending ends the worker. */
  #watch(): void {
    clearTimeout(this.#watchdog);
    if (this.#end || this.#isFed || this.#pending.size === 0) return;
    const limits = [...this.#pending.values()].map(({ options: { patience }, isAborted }) => (isAborted ? patience.abortMs : patience.silenceMs));
    const limit = Math.min(...limits);
    const due = performance.now() + limit;
    this.#watchdog = setTimeout(() => {
      // A page that slept (laptop lid, frozen tab) wakes late, and so does its worker: wait again.
      if (performance.now() > due + limit / 2) this.#watch();
      else this.#crash(`The model's worker did not answer for ${limit / 1000} seconds`);
    }, limit);
  }
}

/** What goes to the worker with its memory. Each once: files may share parts. */
function memoryOf(message: ToRuntime): ArrayBuffer[] {
  if (message.kind === "part") return [message.bytes.buffer];
  if (message.kind !== "load") return [];
  return [...new Set(message.files.flatMap((file) => ("parts" in file ? file.parts.map(({ buffer }) => buffer) : [])))];
}
