/** Models for tests: the small decoder where it was made available, and made-up ones. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { OnnxGraph, OnnxModel, OnnxNode } from "../../../schema/onnx/types.ts";
import { smallDecoder } from "../../support/real-models.ts";

/** `null` where the folder with models isn't there; with CI set that is an error. */
export function stories(): Uint8Array | null {
  const { folder } = smallDecoder();
  return folder === null ? null : new Uint8Array(readFileSync(join(folder, "onnx/model.onnx")));
}

export const NOTHING = new Uint8Array(0);

export const node = (opType: string, inputs: string[], outputs: string[], more: Partial<OnnxNode> = {}): OnnxNode => ({
  name: "", domain: "", attributes: [], rest: NOTHING, opType, inputs, outputs, ...more,
});

export const modelOf = (graph: Partial<OnnxGraph>): OnnxModel => ({
  irVersion: 8,
  opsets: [{ domain: "", version: 17 }],
  functions: [],
  rest: NOTHING,
  graph: { name: "g", nodes: [], initializers: [], inputs: [], outputs: [], valueInfos: [], rest: NOTHING, ...graph },
});
