/** Every task that the runtime can run, one row each. */
import type { InputOf, NoteOf, OutputOf, PieceOf, TaskName } from "../protocol.ts";
import { featureExtraction } from "./encoder/feature-extraction.ts";
import { imageClassification } from "./encoder/image-classification.ts";
import { textClassification } from "./encoder/text-classification.ts";
import { tokenClassification } from "./encoder/token-classification.ts";
import { zeroShot } from "./encoder/zero-shot.ts";
import { ocr } from "./ocr/ocr.ts";
import { raw } from "./raw/raw.ts";
import type { TaskAdapter } from "./task.ts";
import { textGeneration } from "./text-generation/text-generation.ts";

export const TASKS: { readonly [Name in TaskName]: TaskAdapter<InputOf<Name>, OutputOf<Name>, PieceOf<Name>, NoteOf<Name>> } = {
  ocr,
  raw,
  "text-generation": textGeneration,
  "feature-extraction": featureExtraction,
  "text-classification": textClassification,
  "token-classification": tokenClassification,
  "zero-shot-classification": zeroShot,
  "image-classification": imageClassification,
};
