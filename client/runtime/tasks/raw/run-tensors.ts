/**
 * A session by its named tensors.
 *
 * - A call that doesn't fit the model is `input-invalid`, and the model stays usable. What the graph itself refuses
 *   (a shape that its layers can't take) is too: onnxruntime has checked it, and is whole.
 * - Where its WebAssembly stops (no memory left, an access out of bounds) it isn't: that is a crash.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import { LeaseholdError } from "../../../errors.ts";
import { type OrtApi, plainly } from "../../backends/engine.ts";
import type { Step } from "../task.ts";
import { callFault, isDataOf, isRawType, type RawCall, type RawResult, type RawTensor } from "./tensors.ts";

export async function runTensors(session: InferenceSession, api: Pick<OrtApi, "Tensor">, { inputs, outputs }: RawCall, step: Step): Promise<RawResult> {
  const fault = callFault({ inputs, ...(outputs ? { outputs } : {}) }, session.inputNames, session.outputNames);
  if (fault !== null) throw new LeaseholdError("input-invalid", `The model can't take this: ${fault}.`);
  await step();
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, { type, data, dims }]) => [name, new api.Tensor(type, data as Tensor.DataType, dims)]));
  const results = await session.run(feeds, outputs ?? session.outputNames).catch((error: unknown) => {
    if (error instanceof WebAssembly.RuntimeError) throw error;
    throw new LeaseholdError("input-invalid", `The model can't take this: ${plainly(error)}.`, { cause: error });
  });
  return { outputs: Object.fromEntries(await Promise.all(Object.entries(results).map(async ([name, tensor]) => [name, await rawTensor(name, tensor)] as const))) };
}

async function rawTensor(name: string, tensor: Tensor): Promise<RawTensor> {
  const { type, dims } = tensor;
  if (!isRawType(type)) throw new LeaseholdError("model-invalid", `The model's output ${name} is of type ${type}, which can't be handed out.`);
  const data = await tensor.getData();
  // Where the browser has Float16Array, onnxruntime gives that.
  const elements = type === "float16" && ArrayBuffer.isView(data) ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data;
  if (!isDataOf(type, elements)) throw new Error(`${name}: ${type} came as ${data.constructor.name}`);
  return { type, dims, data: elements };
}
