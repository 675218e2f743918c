import type { InferenceSession } from "onnxruntime-web";
import { expect, it } from "vitest";
import { runTensors } from "../../../../client/runtime/tasks/raw/run-tensors.ts";

/** A session of onnxruntime's whose run ends so. */
const ending = (fault: Error): InferenceSession => ({ inputNames: ["x"], outputNames: ["y"], run: () => Promise.reject(fault) }) as unknown as InferenceSession;
const api = { Tensor: Object } as unknown as Parameters<typeof runTensors>[1];
const run = (fault: Error) => runTensors(ending(fault), api, { inputs: { x: { type: "float32", dims: [1], data: Float32Array.of(1) } } }, async () => undefined);

it("tells what the graph refuses from an engine that stopped, which is to be ended", async () => {
  await expect(run(new Error("failed to call OrtRun(). ERROR_CODE: 2, ERROR_MESSAGE: Invalid rank"))).rejects.toMatchObject({ code: "input-invalid" });
  await expect(run(new WebAssembly.RuntimeError("Aborted(OOM)"))).rejects.toBeInstanceOf(WebAssembly.RuntimeError);
});
