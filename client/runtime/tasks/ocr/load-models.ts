/**
 * The two networks of OCR and their dictionary, opened, warmed up and tested.
 *
 * - `model-invalid` names the file at fault; a fault of the backend alone is `backend-unavailable`.
 * - On WebGPU each network first answers on the CPU kernels: what fails there is the model's fault, and what the GPU
 *   answers must agree with it.
 */
import { LeaseholdError } from "../../../errors.ts";
import { plainly, type FloatTensor, type Session, type SessionEngine } from "../../backends/engine.ts";
import { disagreement, isFinite, strokes } from "../../backends/self-test.ts";
import { tensorFault, type TensorTest } from "../../backends/tensor-test.ts";
import type { ModelOptions } from "../../protocol.ts";
import { invalidFile, type ModelFiles } from "../model-files.ts";
import type { Step } from "../task.ts";
import { parseDictionary } from "./ctc.ts";
import { LINE_HEIGHT } from "./recognize.ts";

/** What the task expects in a manifest: text detection (DB), text recognition (CTC), one character a line. */
export const OCR_FILES = { detection: "det.onnx", recognition: "rec.onnx", dictionary: "keys.txt" } as const;

export interface OcrModels {
  readonly detection: Session;
  readonly recognition: Session;
  readonly dictionary: readonly string[];
}

interface Network {
  readonly path: string;
  /** A small picture as the network takes it. */
  readonly trial: FloatTensor;
  /** What is wrong with the shape of its answer. */
  readonly fault: (answer: FloatTensor) => string | null;
}

const DETECTION: Network = {
  path: OCR_FILES.detection,
  trial: strokes([1, 3, 96, 160]),
  fault: ({ dims }) => (dims.join() === "1,1,96,160" ? null : `answers with the shape ${dims.join(" × ")}: it is no text detection model`),
};

const RECOGNITION: Network = {
  path: OCR_FILES.recognition,
  trial: strokes([2, 3, LINE_HEIGHT, 96]),
  fault: ({ dims }) => (dims.length === 3 && dims[0] === 2 ? null : `answers with the shape ${dims.join(" × ")}: it is no text recognition model`),
};

export async function loadOcrModels(files: ModelFiles, engine: SessionEngine, step: Step, { selfTest }: Pick<ModelOptions, "selfTest">): Promise<OcrModels> {
  const dictionary = parseDictionary(await files.text(OCR_FILES.dictionary));
  const { session: detection } = await openNetwork(DETECTION, files, engine, step);
  const { session: recognition, answer } = await openNetwork(RECOGNITION, files, engine, step);
  const classes = answer.dims[2];
  if (classes !== dictionary.length) {
    throw invalidFile(OCR_FILES.dictionary, `has ${dictionary.length - 2} characters, and ${OCR_FILES.recognition} knows ${(classes ?? 0) - 2}`);
  }
  if (selfTest?.kind === "tensors") await checkTensors(selfTest, [detection, recognition], engine);
  return { detection, recognition, dictionary };
}

/** By the network that has the outputs it names. */
async function checkTensors(selfTest: TensorTest, networks: readonly Session[], engine: SessionEngine): Promise<void> {
  const named = networks.map(({ named }) => named).find(({ outputNames }) => Object.keys(selfTest.outputs).every((name) => outputNames.includes(name)));
  if (!named) throw new LeaseholdError("model-invalid", `The model's self-test names ${Object.keys(selfTest.outputs).join(", ")}, which neither network gives.`);
  const fault = await tensorFault(engine.api, named, selfTest);
  if (fault !== null) throw new LeaseholdError("backend-unavailable", `The model does not work here as it should: ${fault}.`);
}

async function openNetwork(network: Network, files: ModelFiles, engine: SessionEngine, step: Step): Promise<{ session: Session; answer: FloatTensor }> {
  const bytes = await files.bytes(network.path);
  await step("session");
  if (engine.backend === "wasm") return openTrusted(network, () => engine.open(bytes), step);

  const reference = await openTrusted(network, () => engine.openReference(bytes), step);
  await reference.session.release();
  try {
    const session = await engine.open(bytes);
    await step("warmup");
    const difference = disagreement(await session.run(network.trial), reference.answer);
    if (difference !== null) throw new Error(difference);
    return { session, answer: reference.answer };
  } catch (error) {
    throw new LeaseholdError("backend-unavailable", `WebGPU failed its self-test with ${network.path}: ${plainly(error)}.`, { cause: error });
  }
}

/** On the CPU kernels: whatever fails is the model's fault. */
async function openTrusted(network: Network, open: () => Promise<Session>, step: Step): Promise<{ session: Session; answer: FloatTensor }> {
  let session: Session;
  let answer: FloatTensor;
  try {
    session = await open();
    await step("warmup");
    answer = await session.run(network.trial);
  } catch (error) {
    if (error instanceof LeaseholdError) throw error;
    throw invalidFile(network.path, `can't be run (${plainly(error)})`, error);
  }
  const fault = network.fault(answer) ?? (isFinite(answer) ? null : "gives results that are no numbers");
  if (fault !== null) throw invalidFile(network.path, fault);
  return { session, answer };
}
