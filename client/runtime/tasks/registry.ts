/** Every task that the runtime can run, one row each. */
import type { InputOf, OutputOf, PieceOf, TaskName } from "../protocol.ts";
import { ocr } from "./ocr/ocr.ts";
import { raw } from "./raw/raw.ts";
import type { TaskAdapter } from "./task.ts";

export const TASKS: { readonly [Name in TaskName]: TaskAdapter<InputOf<Name>, OutputOf<Name>, PieceOf<Name>> } = { ocr, raw };
