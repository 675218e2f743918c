/**
 * A decoder on sessions of named tensors: on WebGPU, and on WASM where the module can't be driven itself.
 *
 * - On WebGPU a graph with grouped attention is opened to be recorded (`captured-decoder.ts`); where the engine or the
 *   graph won't have that, or it comes out wrong, `openOnSessions` does it run by run.
 */
import { ELEMENT, type OnnxModel } from "../../../schema/onnx/types.ts";
import { LeaseholdError } from "../../errors.ts";
import { plainly, type SessionEngine, type SessionOptions } from "../backends/engine.ts";
import { isSoftwareAdapter } from "../backends/probe.ts";
import { EXTERNAL_PATH } from "../backends/ort-module.ts";
import type { ModelSource } from "../graph/model-source.ts";
import { withStaticPositions } from "../graph/static-positions.ts";
import { TOP_COUNT, withTopCandidates } from "../graph/top-candidates.ts";
import { invalidFile } from "../tasks/model-files.ts";
import type { Step } from "../tasks/task.ts";
import { CapturedDecoder } from "./captured-decoder.ts";
import { fitPieces } from "./check-pieces.ts";
import type { DecoderIo } from "./decoder-io.ts";
import type { Decoder } from "./decoder.ts";
import { SessionDecoder } from "./session-decoder.ts";

export interface SessionSubject {
  readonly source: ModelSource;
  /** Cut to the last position, weights as they are to be. */
  readonly model: OnnxModel;
  readonly io: DecoderIo;
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly description: string;
  /** As `DecoderOptions` has it. */
  readonly firstRoom?: number | undefined;
}

/** `fault`: runs it, and says what is wrong. Without a decoder: why not. */
export async function openRecorded({ source, model, io, vocabulary, contextLength, firstRoom, description }: SessionSubject, engine: SessionEngine, step: Step, fault: (decoder: Decoder) => Promise<string | null>): Promise<{ readonly decoder: Decoder | null; readonly why: string | null }> {
  if (engine.backend !== "webgpu" || io.attention !== "grouped" || io.mask === null || vocabulary < TOP_COUNT) return { decoder: null, why: null };
  const placed = withStaticPositions(model, io.mask);
  if (!placed) return { decoder: null, why: "its mask is used beside its attention" };
  let decoder: CapturedDecoder | null = null;
  try {
    const opened = await openSession(source, withTop(placed, io), engine.openRecording);
    if (!opened) return { decoder, why: "this engine has no way to" };
    decoder = await CapturedDecoder.open({ ...opened, engine, io, vocabulary, contextLength, firstRoom, description: `${description}, recorded` });
    await fitPieces(decoder, io.logitsType, await isEmulated(engine), step);
    const wrong = await fault(decoder);
    if (wrong === null) return { decoder, why: null };
    await decoder.close();
    return { decoder: null, why: wrong };
  } catch (error) {
    await decoder?.close();
    if (error instanceof LeaseholdError && error.code === "aborted") throw error;
    return { decoder: null, why: plainly(error) };
  }
}

export async function openOnSessions({ source, model, io, ...sizes }: SessionSubject, engine: SessionEngine, step: Step): Promise<Decoder> {
  const isGpu = engine.backend === "webgpu";
  const preferredOutputLocation = isGpu ? Object.fromEntries([io.logits, ...io.kv.map(({ present }) => present)].map((name) => [name, "gpu-buffer" as const])) : {};
  try {
    const opened = await openSession(source, isGpu && sizes.vocabulary >= TOP_COUNT ? withTop(model, io) : model, engine.openNamed, { preferredOutputLocation });
    if (!opened) throw new Error("no session came of it");
    const decoder = new SessionDecoder({ ...sizes, ...opened, engine, io });
    if (isGpu) await fitPieces(decoder, io.logitsType, await isEmulated(engine), step);
    return decoder;
  } catch (error) {
    if (error instanceof LeaseholdError) throw error;
    if (isGpu) throw new LeaseholdError("backend-unavailable", `WebGPU can't open the model: ${plainly(error)}.`, { cause: error });
    throw invalidFile(source.path, `can't be opened (${plainly(error)})`, error);
  }
}

/** Where the browser doesn't say it is none. */
async function isEmulated({ api }: SessionEngine): Promise<boolean> {
  const device: GPUDevice = await api.env.webgpu.device;
  const info: GPUAdapterInfo | undefined = device.adapterInfo; // newer than WebGPU
  return info !== undefined && isSoftwareAdapter(info);
}

const withTop = (model: OnnxModel, io: DecoderIo): OnnxModel => withTopCandidates(model, io.logits, ELEMENT[io.logitsType === "float16" ? "float16" : "float"]);

async function openSession(source: ModelSource, model: OnnxModel, open: SessionEngine["openRecording"], options: SessionOptions = {}) {
  const { model: bytes, weights } = source.forSession(model, EXTERNAL_PATH);
  const session = await open(bytes, { externalData: weights.byteLength > 0 ? [{ path: EXTERNAL_PATH, data: weights.whole() }] : [], ...options });
  return session && { session, weightBytes: weights.byteLength };
}
