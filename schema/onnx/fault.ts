/** Why a model is refused: a closed union, the same before it is published and before it is run. */
export const MODEL_FAULTS = {
  "model-unreadable": "The file is not an ONNX model, is cut off, or is one of which two readers may see different things.",
  "model-too-complex": "The model has more structure than is let through.",
  "model-graph-invalid": "A value of the graph is made twice, or is needed to make itself.",
  "model-external-path": "The model names external data outside of its own files.",
  "model-external-range": "The model's external data lie beyond the end of their file.",
  "model-dims-invalid": "A tensor's dims are negative, or more than can be counted.",
  "model-size-mismatch": "A tensor does not have as many bytes as its dims and type say.",
  "model-control-flow": "The model has control flow, which is not allowed, or nests it too deep.",
} as const satisfies Record<string, string>;
export type ModelFault = keyof typeof MODEL_FAULTS;

export interface ModelRefusal {
  readonly code: ModelFault;
  /** Where; of the file's own words at most a few, printable. */
  readonly detail: string;
}

/** Thrown within an inspection, and by nothing else. */
export class Refused extends Error {
  readonly refusal: ModelRefusal;

  constructor(code: ModelFault, detail: string) {
    super(code);
    this.refusal = { code, detail };
  }
}

/** Words of a hostile file, made fit to be shown. */
export const shown = (text: string, most: number): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, most);
export const quoted = (name: string): string => `"${shown(name, 60)}"`;
