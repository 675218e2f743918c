/**
 * What the page and the runtime worker say to each other.
 *
 * - Every request carries an id; exactly one of `loaded`, `done`, `failed` answers it, an aborted one too.
 * - `progress`, `piece` and `alive` come in between. Silence beyond a limit means that the worker hangs.
 * - `lost` comes unasked: the worker is of no further use.
 * - Requests are worked on one after another, in the order sent; `abort` overtakes.
 */
import type { Backend } from "../../schema/contract/models.ts";
import type { SelfTest } from "../../schema/contract/self-test.ts";
import type { ClientCode } from "../errors.ts";
import type { OcrReading } from "./tasks/ocr/reading.ts";
import type { RawCall, RawResult } from "./tasks/raw/tensors.ts";

export type RequestId = number;

/** "compile": the engine starts; "session": it reads the model; "warmup": a trial run. */
export type Stage = "compile" | "session" | "warmup";

/** One row for each task that the runtime can run. */
export interface TaskCalls {
  readonly ocr: { readonly input: Blob; readonly output: OcrReading; readonly piece: never };
  readonly raw: { readonly input: RawCall; readonly output: RawResult; readonly piece: never };
}
export type TaskName = keyof TaskCalls;
export type InputOf<Name extends TaskName> = TaskCalls[Name]["input"];
export type OutputOf<Name extends TaskName> = TaskCalls[Name]["output"];
/** What a call sends ahead of its output. */
export type PieceOf<Name extends TaskName> = TaskCalls[Name]["piece"];

/** Verified weights, by the path in the manifest. */
export interface RuntimeFile {
  readonly path: string;
  readonly blob: Blob;
}

/** How a model is to be loaded here. */
export interface ModelOptions {
  /** How much memory it may take. */
  readonly memoryBytes: number;
  /** From the manifest; a backend that misses it is not used. */
  readonly selfTest?: SelfTest;
}

export interface LoadRequest {
  readonly kind: "load";
  readonly task: TaskName;
  readonly files: readonly RuntimeFile[];
  readonly backend: Backend;
  readonly threads: number;
  readonly ortBase: string;
  readonly options: ModelOptions;
}

export interface RunRequest {
  readonly kind: "run";
  readonly task: TaskName;
  readonly input: InputOf<TaskName>;
}

export type Request = LoadRequest | RunRequest;
export type ToRuntime = (Request & { readonly id: RequestId }) | { readonly kind: "abort"; readonly id: RequestId };

export interface Fault {
  readonly code: ClientCode;
  readonly message: string;
}

export type Answer =
  | { readonly kind: "loaded"; readonly id: RequestId }
  | { readonly kind: "done"; readonly id: RequestId; readonly output: OutputOf<TaskName> }
  | { readonly kind: "failed"; readonly id: RequestId; readonly fault: Fault };

export type FromRuntime =
  | Answer
  | { readonly kind: "progress"; readonly id: RequestId; readonly stage: Stage }
  | { readonly kind: "piece"; readonly id: RequestId; readonly piece: PieceOf<TaskName> }
  | { readonly kind: "alive"; readonly id: RequestId }
  /** `message` without a full stop. */
  | { readonly kind: "lost"; readonly message: string };
