/**
 * Any ONNX model, by named tensors.
 *
 * - One `.onnx` file and, beside it, its external data. No trial: nothing is known of what it takes.
 */
import type { Step, TaskAdapter } from "../task.ts";
import { openTrusted } from "../trusted-session.ts";
import { runTensors } from "./run-tensors.ts";
import type { RawCall, RawResult } from "./tensors.ts";

export const raw: TaskAdapter<RawCall, RawResult> = {
  facts: { measure: "per-run", selfTests: ["tensors"], pipelines: [], architectures: [] },
  files: [],
  engine: "sessions",
  async prepare(files, engine, step, { selfTest }) {
    const session = await openTrusted(files, engine, step, { selfTest });
    const tensors = (call: RawCall, pause: Step) => runTensors(session, engine.api, call, pause);
    return { tensors, run: (call, { step: pause }) => tensors(call, pause) };
  },
};
