/**
 * What a task is to the runtime: one adapter, in one file of `tasks/`, and a line in `registry.ts`. docs/tasks.md says how
 * one is added.
 *
 * - `prepare` takes the model's files to something that runs, warmed up and tested on this backend.
 *   It throws `model-invalid` naming the file at fault, or `backend-unavailable` where another backend may do.
 * - `measure` counts a call's tokens, before anything is held or run for it, and refuses what can be refused then.
 * - `run` serves one call; calls never overlap. What it throws without a code is taken as a crash.
 * - Both call `step` between pieces of work of about a second: it shows that the worker lives, and throws `aborted`
 *   where the caller has given up.
 * - `emit` sends a part of the answer ahead; parts arrive in order, and before the end.
 */
import type { EngineKind, EngineOnDemand, SessionEngine } from "../backends/engine.ts";
import type { TaskFacts } from "../../../schema/contract/task.ts";
import type { ModelOptions, Stage } from "../protocol.ts";
import type { ModelFiles } from "./model-files.ts";
import type { RawCall, RawResult } from "./raw/tensors.ts";

export type Step = (stage?: Stage) => Promise<void>;

export interface Call<Piece, Note = never> {
  readonly step: Step;
  readonly emit: (piece: Piece) => void;
  /** What the call was told since the last look. */
  readonly notes: () => readonly Note[];
}

export interface PreparedTask<Input, Output, Piece = never, Note = never> {
  /** What whoever looks should know of how it runs. Without a full stop. */
  readonly remark?: string;
  /** Absent where tokens come as the call goes on: such a task has calls of its own in the SDK. */
  measure?(input: Input, step: Step): number | Promise<number>;
  run(input: Input, call: Call<Piece, Note>): Promise<Output>;
  /** The model by its named tensors. Absent where it isn't one graph that keeps nothing between runs. */
  tensors?(call: RawCall, step: Step): Promise<RawResult>;
  /** How many it goes by now, where it measures that. */
  threads?(): number | null;
}

interface Adapter<Kind extends EngineKind, Needs extends SessionEngine | EngineOnDemand, Input, Output, Piece, Note> {
  /** What the control plane knows of it. */
  readonly facts: TaskFacts;
  /** Paths in the manifest that must be there. */
  readonly files: readonly string[];
  /** See `backends/engine.ts`: "on-demand" for what keeps state between runs. */
  readonly engine: Kind;
  /** Begins with the files beside the model while that is on its way; waits for `files.checked` before it looks at it, and for `files.verified()` before it runs. */
  readonly isAhead?: true;
  prepare(files: ModelFiles, engine: Needs, step: Step, options: ModelOptions): Promise<PreparedTask<Input, Output, Piece, Note>>;
}

export type TaskAdapter<Input, Output, Piece = never, Note = never> = Adapter<"sessions", SessionEngine, Input, Output, Piece, Note> | Adapter<"on-demand", EngineOnDemand, Input, Output, Piece, Note>;

/** What any task's adapter is. */
export type AnyAdapter = { readonly facts: TaskFacts; readonly prepare: (...args: never) => Promise<unknown> };

/** The same adapter for a task of another name, with what the hub calls that one. */
export const alsoNamed = <A extends AnyAdapter>(adapter: A, hub: Partial<Pick<TaskFacts, "pipelines" | "architectures">> = {}): A => ({ ...adapter, facts: { ...adapter.facts, pipelines: [], architectures: [], ...hub } });
