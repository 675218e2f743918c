/** What the page asks of the tasks that read a text or picture once, and what comes back: plain data, for both realms. */

export interface Texts {
  readonly texts: readonly string[];
}

export interface EmbedInput extends Texts {
  /** Keeps so many of the first numbers of each embedding, and brings it to length 1 again. */
  readonly dimensions?: number | null;
}

export interface EmbedOutput {
  readonly embeddings: readonly Float32Array[];
}

export interface Label {
  readonly label: string;
  readonly score: number;
}

export type ClassifyInput = Texts;

export interface ClassifyOutput {
  /** Of each text, likeliest first. */
  readonly labels: readonly (readonly Label[])[];
}

export interface TagInput extends Texts {
  /** "simple": neighbours of one kind are one entity. */
  readonly aggregation: "none" | "simple";
}

export interface Entity {
  readonly entity: string;
  readonly score: number;
  readonly text: string;
  /** Where it stands in the text, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

export interface TagOutput {
  readonly entities: readonly (readonly Entity[])[];
}

export interface ZeroShotInput extends Texts {
  readonly labels: readonly string[];
  /** With `{}` where the label stands. */
  readonly hypothesis: string;
  /** Each label by itself, instead of one among all. */
  readonly isMultiLabel: boolean;
}

export interface ImageInput {
  readonly images: readonly Blob[];
  /** "labels" by the classes of `config.json`; "embedding": what the model gives out, brought to length 1. */
  readonly want: "labels" | "embedding";
}

export interface ImageOutput {
  readonly labels: readonly (readonly Label[])[];
  readonly embeddings: readonly Float32Array[];
}
