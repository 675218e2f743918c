/**
 * What a task is to the runtime: one adapter, in one file of `tasks/`, with one row in `registry.ts`.
 *
 * - `prepare` takes the model's files to something that runs, warmed up and tested on this backend.
 *   It throws `model-invalid` naming the file at fault, or `backend-unavailable` where another backend may do.
 * - `run` serves one call; calls never overlap. What it throws without a code is taken as a crash.
 * - Both call `step` between pieces of work of about a second: it shows that the worker lives, and throws `aborted`
 *   where the caller has given up.
 */
import type { Engine } from "../backends/engine.ts";
import type { Stage } from "../protocol.ts";
import type { ModelFiles } from "./model-files.ts";

export type Step = (stage?: Stage) => Promise<void>;

export interface TaskAdapter<Input, Output> {
  /** Paths in the manifest that must be there. */
  readonly files: readonly string[];
  prepare(files: ModelFiles, engine: Engine, step: Step): Promise<PreparedTask<Input, Output>>;
}

export interface PreparedTask<Input, Output> {
  run(input: Input, step: Step): Promise<Output>;
}
