/** Every task that the runtime can run, one row each. */
import type { TaskCalls, TaskName } from "../protocol.ts";
import { ocr } from "./ocr/ocr.ts";
import type { TaskAdapter } from "./task.ts";

export const TASKS: { readonly [Name in TaskName]: TaskAdapter<TaskCalls[Name]["input"], TaskCalls[Name]["output"]> } = { ocr };
