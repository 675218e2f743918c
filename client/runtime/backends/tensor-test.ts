/**
 * A model's self-test by named tensors, on a session as it was opened here.
 *
 * - What comes out is what is wrong, in plain words; `null` where every output is as it should be.
 * - A self-test that names tensors which the model doesn't have is the manifest's fault: `model-invalid`.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import type { SelfTest } from "../../../schema/contract/self-test.ts";
import { sha256Hex } from "../../cache/digest.ts";
import { LeaseholdError } from "../../errors.ts";
import { floatToHalf } from "../graph/half.ts";
import { floatsOf } from "../tasks/floats.ts";
import { type OrtApi, plainly } from "./engine.ts";

export type TensorTest = Extract<SelfTest, { kind: "tensors" }>;
type Expected = TensorTest["outputs"][string];

export async function tensorFault({ Tensor }: Pick<OrtApi, "Tensor">, session: InferenceSession, { inputs, outputs }: TensorTest): Promise<string | null> {
  const unknown = [...Object.keys(inputs).filter((name) => !session.inputNames.includes(name)), ...Object.keys(outputs).filter((name) => !session.outputNames.includes(name))];
  const missing = session.inputNames.filter((name) => !Object.hasOwn(inputs, name));
  if (unknown.length > 0) throw new LeaseholdError("model-invalid", `The model's self-test names ${unknown.join(", ")}, which the model doesn't have.`);
  if (missing.length > 0) throw new LeaseholdError("model-invalid", `The model's self-test gives no ${missing.join(", ")}.`);
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, { type, dims, values }]) => [name, new Tensor(type, ARRAY_OF[type](values), dims)]));
  let results: InferenceSession.OnnxValueMapType;
  try {
    results = await session.run(feeds, Object.keys(outputs));
  } catch (error) {
    return `its self-test stops (${plainly(error)})`;
  }
  for (const [name, expected] of Object.entries(outputs)) {
    const fault = await outputFault(results[name], expected);
    if (fault !== null) return `in its self-test, ${name} ${fault}`;
  }
  return null;
}

const ARRAY_OF: Record<TensorTest["inputs"][string]["type"], (values: readonly number[]) => Tensor.DataType> = {
  float32: (values) => Float32Array.from(values),
  float16: (values) => Uint16Array.from(values, floatToHalf),
  int64: (values) => BigInt64Array.from(values, BigInt),
  int32: (values) => Int32Array.from(values),
  uint8: (values) => Uint8Array.from(values),
  bool: (values) => Uint8Array.from(values),
};

async function outputFault(output: Tensor | undefined, { dims, first, tolerance = 0, sha256 }: Expected): Promise<string | null> {
  if (!output) return "is missing";
  if (output.dims.join() !== dims.join()) return `has the shape ${output.dims.join(" × ")}, not ${dims.join(" × ")}`;
  const data = await output.getData();
  if (sha256 !== undefined) {
    const bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).slice() : null;
    return bytes && (await sha256Hex(bytes)) === sha256 ? null : "has other bytes than it should";
  }
  const found = floatsOf(output.type, data) ?? Array.from(data as ArrayLike<number | bigint>, Number);
  const at = (first ?? []).findIndex((value, index) => !(Math.abs((found[index] ?? NaN) - value) <= tolerance));
  return at < 0 ? null : `begins with other values than it should (${found[at]} in place of ${first?.[at]})`;
}
