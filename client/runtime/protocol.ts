/**
 * What the page and the runtime worker say to each other.
 *
 * - Every request carries an id; exactly one of `started`, `loaded`, `measured`, `done`, `failed` answers it, an aborted one too.
 * - `progress`, `piece` and `alive` come in between. Silence beyond a limit means that the worker hangs.
 * - A `note` goes to a request that is being worked on; one for another is lost.
 * - `lost` comes unasked: the worker is of no further use.
 * - `calls` comes at any time, to a worker that loads: whether calls of other models run, to which it gives way.
 * - The bell comes before all else, where there is one; it is not counted.
 * - Requests are worked on one after another, in the order sent; `abort` overtakes.
 * - `start` comes first, once; then `load`, once. The parts of files that are on their way follow in any order, each once.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Backend } from "../../schema/contract/models.ts";
import type { SelfTest } from "../../schema/contract/self-test.ts";
import type { Bell } from "./bell.ts";
import type { ErrorCode, ErrorDetails } from "../errors.ts";
import type { InputOf, NoteOf, OutputOf, PieceOf, TaskName } from "./tasks/registry.ts";

export type RequestId = number;

/** "compile": the engine starts; "session": it reads the model; "warmup": a trial run. */
export type Stage = "compile" | "session" | "warmup";

/** Verified weights, by the path in the manifest. */
export type RuntimeFile = StoredFile | LoadedFile | ArrivingFile;

/** Lies somewhere; read when it is needed, and as often. */
export interface StoredFile {
  readonly path: string;
  readonly blob: Blob;
}

/** In memory, in parts one after another. That memory goes to the worker: what was sent is empty for the sender. */
export interface LoadedFile {
  readonly path: string;
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
}

/** Given part by part. */
export interface ArrivingFile {
  readonly path: string;
  /** One after another; a part that stands in several places has one number. */
  readonly arriving: readonly { readonly part: number; readonly size: number }[];
}

/** How a model is to be loaded here. */
export interface ModelOptions {
  /** How much memory it may take. */
  readonly memoryBytes: number;
  /** From the manifest: the operator lets this model have Loop, Scan or If. */
  readonly allowControlFlow?: boolean;
  /** From the manifest; a backend that misses it is not used. */
  readonly selfTest?: SelfTest;
  /** Kernels of our own are not tried: why not. */
  readonly withoutKernels?: string;
}

/** The engine alone, so that it starts while the files are still on their way. */
export interface StartRequest {
  readonly kind: "start";
  readonly task: TaskName;
  readonly backend: Backend;
  readonly withoutJspi: boolean;
  readonly threads: number;
  readonly areThreadsFixed: boolean;
  readonly ortBase: string;
}

export interface LoadRequest {
  readonly kind: "load";
  readonly files: readonly RuntimeFile[];
  readonly options: ModelOptions;
}

/** "measure": what a call would count. */
export interface RunRequest {
  readonly kind: "run" | "measure";
  readonly task: TaskName;
  readonly input: InputOf<TaskName>;
}

/** `due`: what its SHA-256 has to be, where nobody has taken it: nothing of the model runs before the worker has. */
export interface ArrivingPart {
  readonly kind: "part";
  readonly part: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly due: Sha256 | null;
}

export type GivePart = (part: number, bytes: ArrivingPart["bytes"], due: ArrivingPart["due"]) => void;

export type Request = StartRequest | LoadRequest | RunRequest;
export type ToRuntime =
  | { readonly kind: "bell"; readonly bell: Bell }
  | (Request & { readonly id: RequestId })
  | ArrivingPart
  | { readonly kind: "calls"; readonly areUnderWay: boolean }
  | { readonly kind: "abort"; readonly id: RequestId }
  | { readonly kind: "note"; readonly id: RequestId; readonly note: NoteOf<TaskName> };

export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
  /** What the error says besides; its cause stays where it is. */
  readonly details: Omit<ErrorDetails, "cause">;
  /** Kernels of our own: without them the model may do. A part: read again, and verified, the files may do. */
  readonly of?: "kernels" | "part";
}

/** `threads`: what the model goes by now, where that is measured. */
export type Answer =
  | { readonly kind: "started"; readonly id: RequestId }
  /** `remark`: what whoever looks should know of how it runs. Without a full stop. */
  | { readonly kind: "loaded"; readonly id: RequestId; readonly remark?: string; readonly threads: number | null }
  | { readonly kind: "measured"; readonly id: RequestId; readonly tokens: number }
  | { readonly kind: "done"; readonly id: RequestId; readonly output: OutputOf<TaskName>; readonly threads: number | null }
  | { readonly kind: "failed"; readonly id: RequestId; readonly fault: Fault };

export type FromRuntime =
  | Answer
  | { readonly kind: "progress"; readonly id: RequestId; readonly stage: Stage }
  | { readonly kind: "piece"; readonly id: RequestId; readonly piece: PieceOf<TaskName> }
  | { readonly kind: "alive"; readonly id: RequestId }
  /** `message` without a full stop. */
  | { readonly kind: "lost"; readonly message: string };
