/**
 * Every task that the runtime can run: a line each. All else that is to be known of one is in its adapter, types too.
 *
 * - The names are those of manifests. After a change `npm run docs` tells the control plane (schema/contract/tasks.ts).
 */
import { featureExtraction } from "./encoder/feature-extraction.ts";
import { imageClassification } from "./encoder/image-classification.ts";
import { textClassification } from "./encoder/text-classification.ts";
import { textRanking } from "./encoder/text-ranking.ts";
import { tokenClassification } from "./encoder/token-classification.ts";
import { zeroShot } from "./encoder/zero-shot.ts";
import { ocr } from "./ocr/ocr.ts";
import { raw } from "./raw/raw.ts";
import { alsoNamed, type TaskAdapter } from "./task.ts";
import { textGeneration } from "./text-generation/text-generation.ts";

const ADAPTERS = {
  "text-generation": textGeneration,
  embeddings: featureExtraction,
  "feature-extraction": alsoNamed(featureExtraction),
  "text-classification": textClassification,
  "token-classification": tokenClassification,
  "zero-shot-classification": zeroShot,
  "text-ranking": textRanking,
  "image-classification": imageClassification,
  "image-embeddings": alsoNamed(imageClassification, { pipelines: ["image-feature-extraction"] }),
  ocr,
  raw,
};

export type TaskName = keyof typeof ADAPTERS;

type CallOf<Adapter> = Adapter extends TaskAdapter<infer Input, infer Output, infer Piece, infer Note> ? { readonly input: Input; readonly output: Output; readonly piece: Piece; readonly note: Note } : never;
type Calls = { readonly [Name in TaskName]: CallOf<(typeof ADAPTERS)[Name]> };

export type InputOf<Name extends TaskName> = Calls[Name]["input"];
export type OutputOf<Name extends TaskName> = Calls[Name]["output"];
/** What a call sends ahead of its output. */
export type PieceOf<Name extends TaskName> = Calls[Name]["piece"];
/** What a call may be told while it runs. */
export type NoteOf<Name extends TaskName> = Calls[Name]["note"];
/** The tasks whose calls are one question and one answer. */
export type PlainTask = { readonly [Name in TaskName]: [PieceOf<Name>] extends [never] ? Name : never }[TaskName];

export const TASKS: { readonly [Name in TaskName]: TaskAdapter<InputOf<Name>, OutputOf<Name>, PieceOf<Name>, NoteOf<Name>> } = ADAPTERS;

/** Whether both are names of one adapter, so that a model for one takes calls of the other. */
export const isSameTask = (one: TaskName, other: TaskName): boolean => TASKS[one].prepare === TASKS[other].prepare;
