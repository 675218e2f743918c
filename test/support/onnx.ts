/** ONNX models for tests, written by the product's own writer. */
import type { OnnxGraph, OnnxModel, OnnxNode } from "../../schema/onnx/types.ts";
import { concat } from "../../schema/onnx/concat.ts";
import { encodeOnnx, payloadBytes } from "../../schema/onnx/write.ts";

const NOTHING = new Uint8Array(0);

export function modelBytes(model: OnnxModel): Uint8Array<ArrayBuffer> {
  const parts = encodeOnnx(model).parts.map((part) => payloadBytes(part, () => { throw new Error("a made model reads nothing of a file"); }));
  return concat(parts) as Uint8Array<ArrayBuffer>;
}

export const madeNode = (opType: string, inputs: string[], outputs: string[], more: Partial<OnnxNode> = {}): OnnxNode => ({ name: "", domain: "", attributes: [], rest: NOTHING, opType, inputs, outputs, ...more });

export const madeModel = (graph: Partial<OnnxGraph>): OnnxModel => ({
  irVersion: 8, opsets: [{ domain: "", version: 17 }], functions: [], rest: NOTHING,
  graph: { name: "g", nodes: [], initializers: [], inputs: [], outputs: [], valueInfos: [], rest: NOTHING, ...graph },
});

/** A model of exactly this many bytes, all but some twenty of them weights of the value `fill`: other `fill`, other model. */
export function tinyOnnx(size: number, fill: number): Uint8Array<ArrayBuffer> {
  for (const name of ["w", "we"]) {
    for (let weights = Math.max(0, size - 40); weights <= size; weights++) {
      const initializers = [{ name, dataType: 2, dims: [weights], data: { kind: "raw" as const, bytes: new Uint8Array(weights).fill(fill) }, rest: NOTHING }];
      const { length } = encodeOnnx({ ...madeModel({ name: "", initializers }), opsets: [] });
      if (length > size) break;
      if (length === size) return modelBytes({ ...madeModel({ name: "", initializers }), opsets: [] });
    }
  }
  throw new Error(`no model has exactly ${size} bytes`);
}
