/**
 * Any ONNX model, by named tensors.
 *
 * - One `.onnx` file and, beside it, its external data.
 * - A call that doesn't fit the model is `input-invalid`, and the model stays usable. What the graph itself refuses
 *   (a shape that its layers can't take) is too: onnxruntime has checked it, and is whole.
 */
import type { Tensor } from "onnxruntime-web";
import { LeaseholdError } from "../../../errors.ts";
import { plainly } from "../../backends/engine.ts";
import type { TaskAdapter } from "../task.ts";
import { openTrusted } from "../trusted-session.ts";
import { callFault, isDataOf, isRawType, type RawCall, type RawResult, type RawTensor } from "./tensors.ts";

export const raw: TaskAdapter<RawCall, RawResult> = {
  files: [],
  engine: "sessions",
  async prepare(files, engine, step, { selfTest }) {
    const session = await openTrusted(files, engine, step, { selfTest });
    return {
      async run({ inputs, outputs }, { step: pause }) {
        const fault = callFault({ inputs, ...(outputs ? { outputs } : {}) }, session.inputNames, session.outputNames);
        if (fault !== null) throw new LeaseholdError("input-invalid", `The model can't take this: ${fault}.`);
        await pause();
        const feeds = Object.fromEntries(Object.entries(inputs).map(([name, { type, data, dims }]) => [name, new engine.api.Tensor(type, data as Tensor.DataType, dims)]));
        const results = await session.run(feeds, outputs ?? session.outputNames).catch((error: unknown) => {
          throw new LeaseholdError("input-invalid", `The model can't take this: ${plainly(error)}.`, { cause: error });
        });
        return { outputs: Object.fromEntries(await Promise.all(Object.entries(results).map(async ([name, tensor]) => [name, await rawTensor(name, tensor)] as const))) };
      },
    };
  },
};

async function rawTensor(name: string, tensor: Tensor): Promise<RawTensor> {
  const { type, dims } = tensor;
  if (!isRawType(type)) throw new LeaseholdError("model-invalid", `The model's output ${name} is of type ${type}, which can't be handed out.`);
  const data = await tensor.getData();
  // Where the browser has Float16Array, onnxruntime gives that.
  const elements = type === "float16" && ArrayBuffer.isView(data) ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data;
  if (!isDataOf(type, elements)) throw new Error(`${name}: ${type} came as ${data.constructor.name}`);
  return { type, dims, data: elements };
}
