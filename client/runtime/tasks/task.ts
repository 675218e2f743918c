/**
 * What a task is to the runtime: one adapter, in one file of `tasks/`. The compiler asks for its rows in `registry.ts`,
 * `protocol.ts` and the host's `RUN_BY`.
 *
 * - `prepare` takes the model's files to something that runs, warmed up and tested on this backend.
 *   It throws `model-invalid` naming the file at fault, or `backend-unavailable` where another backend may do.
 * - `run` serves one call; calls never overlap. What it throws without a code is taken as a crash.
 * - Both call `step` between pieces of work of about a second: it shows that the worker lives, and throws `aborted`
 *   where the caller has given up.
 * - `emit` sends a part of the answer ahead; parts arrive in order, and before the end.
 */
import type { EngineKind, EngineOnDemand, SessionEngine } from "../backends/engine.ts";
import type { ModelOptions, Stage } from "../protocol.ts";
import type { ModelFiles } from "./model-files.ts";

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
  run(input: Input, call: Call<Piece, Note>): Promise<Output>;
  /** How many it goes by now, where it measures that. */
  threads?(): number | null;
}

interface Adapter<Kind extends EngineKind, Needs extends SessionEngine | EngineOnDemand, Input, Output, Piece, Note> {
  /** Paths in the manifest that must be there. */
  readonly files: readonly string[];
  /** See `backends/engine.ts`: "on-demand" for what keeps state between runs. */
  readonly engine: Kind;
  /** Begins with the files beside the model while that is on its way; waits for `files.checked` before it looks at it, and for `files.verified()` before it runs. */
  readonly isAhead?: true;
  prepare(files: ModelFiles, engine: Needs, step: Step, options: ModelOptions): Promise<PreparedTask<Input, Output, Piece, Note>>;
}

export type TaskAdapter<Input, Output, Piece = never, Note = never> = Adapter<"sessions", SessionEngine, Input, Output, Piece, Note> | Adapter<"on-demand", EngineOnDemand, Input, Output, Piece, Note>;
