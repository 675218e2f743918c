/**
 * A model of named tensors, opened and trusted on this backend.
 *
 * - A self-test by tensors comes out as the manifest states it; else the model is not used here.
 * - `trial`, a first run: its numbers are finite. On WebGPU, where the manifest has no self-test, the CPU kernels of the
 *   same build must agree with it: a backend can be wrong without an error (seen on a software adapter).
 * - What fails is the backend's (`backend-unavailable`) on WebGPU, where the CPU may do better, else the model's.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import type { SelfTest } from "../../../schema/contract/self-test.ts";
import { LeaseholdError } from "../../errors.ts";
import { plainly, type SessionEngine } from "../backends/engine.ts";
import { unlike } from "../backends/self-test.ts";
import { tensorFault } from "../backends/tensor-test.ts";
import { floatsOf } from "./floats.ts";
import { invalidFile, type ModelFiles } from "./model-files.ts";
import type { Step } from "./task.ts";

/** A small run that every build of the model can do. */
export interface Trial {
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly output: string;
}

export interface Trust {
  readonly selfTest?: SelfTest | undefined;
  readonly trial?: (session: InferenceSession) => Trial;
}

export async function openTrusted(files: ModelFiles, engine: SessionEngine, step: Step, { selfTest, trial }: Trust): Promise<InferenceSession> {
  const path = files.onlyModel();
  await step("session");
  const session = await open(files, engine).catch((error: unknown) => {
    if (engine.backend === "webgpu") throw new LeaseholdError("backend-unavailable", `WebGPU can't open the model: ${plainly(error)}.`, { cause: error });
    throw invalidFile(path, `can't be opened (${plainly(error)})`, error);
  });
  await step("warmup");
  if (selfTest?.kind === "tensors") missed(await tensorFault(engine.api, session, selfTest));
  const run = trial?.(session);
  if (!run) return session;
  const answer = await tried(session, run).catch((error: unknown) => missed(`a trial run stops (${plainly(error)})`));
  if (!answer.values.every(Number.isFinite)) missed("it gives results that are no numbers");
  if (engine.backend === "webgpu" && !selfTest) missed(await differenceFromCpu(files, engine, run, answer));
  return session;
}

interface Answer {
  readonly values: Float32Array;
  readonly dims: readonly number[];
}

async function tried(session: InferenceSession, { feeds, output: name }: Trial): Promise<Answer> {
  const { [name]: output } = await session.run(feeds, [name]);
  const values = output && floatsOf(output.type, await output.getData());
  if (!values) throw new LeaseholdError("model-invalid", `The model's output ${name} is of the type ${output?.type ?? "none"}, and floats are due.`);
  return { values, dims: output.dims };
}

async function open(files: ModelFiles, { openNamed }: SessionEngine, executionProviders?: readonly ["wasm"]): Promise<InferenceSession> {
  const path = files.onlyModel();
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const beside = files.paths.filter((other) => other !== path && other.startsWith(folder) && !/\.(?:onnx|json|txt|md|jinja)$/.test(other));
  const externalData = await Promise.all(beside.map(async (other) => ({ path: other.slice(folder.length), data: await files.bytes(other) })));
  return openNamed(await files.bytes(path), { externalData, ...(executionProviders && { executionProviders }) });
}

/** `null` also where the WebGPU build has no CPU kernel for something in the model: then there is nothing to compare with. */
async function differenceFromCpu(files: ModelFiles, engine: SessionEngine, run: Trial, answer: Answer): Promise<string | null> {
  const reference = await open(files, engine, ["wasm"]).catch(() => null);
  if (!reference) return null;
  try {
    const expected = await tried(reference, run);
    return unlike(answer.values, expected.values);
  } finally {
    await reference.release();
  }
}

function missed(fault: string): never;
function missed(fault: string | null): void;
function missed(fault: string | null): void {
  if (fault !== null) throw new LeaseholdError("backend-unavailable", `The model does not work here as it should: ${fault}.`);
}
