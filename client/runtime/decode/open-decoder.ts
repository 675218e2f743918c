/**
 * From a model's files to a decoder on this engine.
 *
 * - Reads `config.json` and the one `.onnx` file. On WASM kernels of our own compute it where they know all of the graph
 *   (`token-plan.ts`), and no engine is started; else the graph is rewritten for the backend, and opened.
 * - Fits the rewrite into the memory given; where rounding is the only way to speed, the model's self-test decides.
 * - A decoder that comes out has run: its numbers are finite, and the engine's code is warm. One on kernels that does
 *   not do is a `KernelFault`: the model is to be opened anew, without them.
 */
import { elementCount, tensorBytes, type OnnxModel } from "../../../schema/onnx/types.ts";
import type { Backend } from "../../../schema/contract/models.ts";
import { LeaseholdError, type ClientCode } from "../../errors.ts";
import { plainly, type Engine, type EngineOnDemand } from "../backends/engine.ts";
import { EXTERNAL_PATH, type OrtModule } from "../backends/ort-module.ts";
import { attendPieces } from "../graph/attend-pieces.ts";
import { blockBytes, expandBlocks, expandedBytes } from "../graph/expand-blocks.ts";
import { lastPositionOnly } from "../graph/last-position.ts";
import { ModelSource } from "../graph/model-source.ts";
import { bytesMore, widenHalves } from "../graph/widen-halves.ts";
import { invalidFile, type ModelFiles } from "../tasks/model-files.ts";
import type { Step } from "../tasks/task.ts";
import { readDecoderIo, type DecoderIo } from "./decoder-io.ts";
import { tokenFault } from "./check-tokens.ts";
import type { Decoder, DecoderOptions } from "./decoder.ts";
import { HeapDecoder } from "./heap-decoder.ts";
import { fittingContext } from "./context-room.ts";
import { KernelFault } from "./kernel-fault.ts";
import { kvBytesPerToken } from "./kv-cache.ts";
import { openOnKernels } from "./open-on-kernels.ts";
import { openOnSessions, openRecorded } from "./open-on-sessions.ts";
import { planRewrite, type RewriteChoice, type WeightForm } from "./plan-rewrite.ts";
import { readPlanConstants } from "./plan-constants.ts";
import { planToken } from "./token-plan.ts";

/** Tokens of a usual text: what the plan keeps memory for. */
const USUAL_CONTEXT = 2048;
const DEFAULT_CONTEXT = 2048;

interface Subject {
  readonly source: ModelSource;
  readonly model: OnnxModel;
  readonly io: DecoderIo;
  readonly vocabulary: number;
  readonly contextLength: number;
}

export async function openDecoder(files: ModelFiles, engine: EngineOnDemand, options: DecoderOptions, step: Step): Promise<Decoder> {
  const source = new ModelSource(files, files.onlyModel());
  const config = await readConfig(files);
  await step("session");
  const model = fitted(await source.structure(), engine.backend, options.memoryBytes);
  const io = readDecoderIo(model.graph);
  const vocabulary = io.vocabulary ?? config.vocabulary;
  if (vocabulary === null) throw invalidFile("config.json", "does not state the vocabulary's size, and neither does the model");
  const longest = Math.min(config.contextLength ?? DEFAULT_CONTEXT, options.maxContext ?? Infinity);
  const { plan, why } = engine.backend === "wasm" ? planToken(model.graph, io, await readPlanConstants(model.graph, source)) : { plan: null, why: null };
  const opened = plan && (options.withoutKernels === undefined ? await openOnKernels({ source, verified: () => files.verified(), plan, io, vocabulary: plan.lengths.get(plan.logits) ?? vocabulary, contextLength: longest, memoryBytes: options.memoryBytes, threads: engine.threads, areThreadsFixed: engine.areThreadsFixed }, step).catch(throwAsKernelFault) : { decoder: null, why: options.withoutKernels });
  const remarkOn = (contextLength: number, most: number) => contextLength < most && options.onRemark?.(`Memory for ${contextLength} tokens of ${most}`);
  if (opened?.decoder) {
    remarkOn(opened.decoder.contextLength, Math.min(longest, plan?.positions ?? longest));
    return trusted(opened.decoder, options, step).catch(throwAsKernelFault);
  }
  if (opened) options.onRemark?.(`Not on kernels of our own: ${opened.why}`);
  const subject = { source, model, io, vocabulary, contextLength: contextOf(model, io, longest, options.memoryBytes, engine.backend) };
  remarkOn(subject.contextLength, longest);
  const reason = opened ? opened.why : why;
  await files.verified();
  return openOnEngine(subject, await engine.start(), reason === null ? null : `not by kernels, for ${reason}`, options, step);
}

/** What a session takes beside its weights. */
const WITH_OVERHEAD = 1.35;

/** On a CPU 16-bit floats are widened, where they fit then. */
function fitted(model: OnnxModel, backend: Backend, memoryBytes: number): OnnxModel {
  if (backend !== "wasm") return model;
  return WITH_OVERHEAD * (weightBytes(model) + bytesMore(model)) <= memoryBytes ? (widenHalves(model) ?? model) : model;
}

/** The model's own fault, or the caller's wish: the same without kernels. */
const NOT_OF_KERNELS: ReadonlySet<string> = new Set<ClientCode>(["aborted", "model-invalid", "variant-unsupported", "weights-corrupt"]);

function throwAsKernelFault(error: unknown): never {
  if (error instanceof LeaseholdError && NOT_OF_KERNELS.has(error.code)) throw error;
  throw new KernelFault(error instanceof LeaseholdError ? error.message : `The kernels stopped: ${plainly(error)}.`, error);
}

/** `remark`: for the description. */
async function openOnEngine(subject: Subject, engine: Engine, remark: string | null, options: DecoderOptions, step: Step): Promise<Decoder> {
  const { model, io } = subject;
  const noted = ({ form, why }: RewriteChoice, more: string | null): RewriteChoice => ({ form, why: more === null ? why : `${why}; ${more}` });
  const choice = noted(engine.backend === "webgpu" ? { form: "as-is", why: "the GPU multiplies with blocks" } : planRewrite(sizesOf(model, io), options.memoryBytes, options.selfTest?.kind === "tokens"), remark);
  // Its own file knows when that is to be had; a decoder that comes of it has been tried.
  const recorded = engine.kind === "sessions" ? await openRecorded({ ...subject, firstRoom: options.firstRoom, model: rewrite(model, io, choice.form), description: describe(choice, io, "WebGPU") }, engine, step, (decoder) => faultOf(decoder, options, step)) : null;
  if (recorded?.decoder) return recorded.decoder;
  const first = await openAs(subject, engine, noted(choice, recorded?.why ? `not recorded, for ${recorded.why}` : null), step);
  if (choice.form !== "int8") return trusted(first, options, step);
  const fault = await faultOf(first, options, step);
  if (fault === null) return first;
  await first.close();
  return trusted(await openAs(subject, engine, { form: "as-is", why: `rounded weights were tried: ${fault}` }, step), options, step);
}

/** Runs it, and says what is wrong; `null` where nothing is. */
async function faultOf(decoder: Decoder, { selfTest }: DecoderOptions, step: Step): Promise<string | null> {
  await step("warmup");
  await warmUp(decoder, step);
  return tokenFault(decoder, selfTest, step);
}

async function trusted(decoder: Decoder, options: DecoderOptions, step: Step): Promise<Decoder> {
  try {
    const fault = await faultOf(decoder, options, step);
    if (fault !== null) throw new LeaseholdError("backend-unavailable", `The model does not work here as it should: ${fault}.`);
    return decoder;
  } catch (error) {
    await decoder.close();
    throw error;
  }
}

async function openAs({ source, model, io, ...sizes }: Subject, engine: Engine, choice: RewriteChoice, step: Step): Promise<Decoder> {
  const rewritten = rewrite(model, io, choice.form);
  if (engine.kind === "heap") {
    const pieces = io.attention === "grouped" ? attendPieces(rewritten) : null;
    const session = await openSession(source, pieces?.model ?? rewritten, engine.ort);
    return new HeapDecoder({ ...sizes, ort: engine.ort, session, io, pieces: pieces?.shape ?? null, description: describe(choice, io, engine.ort.threads === 1 ? "one thread" : `${engine.ort.threads} threads`) });
  }
  return openOnSessions({ source, model: rewritten, io, ...sizes, description: describe(choice, io, engine.backend === "webgpu" ? "WebGPU" : "the public API") }, engine, step);
}

const rewrite = (model: OnnxModel, io: DecoderIo, form: WeightForm): OnnxModel => {
  const short = io.logitsToKeep === null ? lastPositionOnly(model, io.logits) : model;
  return form === "as-is" ? short : expandBlocks(short, form);
};

async function openSession(source: ModelSource, model: OnnxModel, ort: OrtModule) {
  const { model: bytes, weights } = source.forSession(model, EXTERNAL_PATH);
  try {
    return await ort.open(bytes, weights);
  } catch (error) {
    throw error instanceof LeaseholdError ? error : invalidFile(source.path, `can't be opened (${plainly(error)})`, error);
  }
}

function sizesOf({ graph, ...rest }: OnnxModel, io: DecoderIo) {
  const model = { ...rest, graph };
  return {
    original: weightBytes(model),
    blocks: blockBytes(model),
    float32: expandedBytes(model, "float32"),
    int8: expandedBytes(model, "int8"),
    kv: kvBytesPerToken(io.kv, io.kvType) * USUAL_CONTEXT,
  };
}

const weightBytes = ({ graph }: OnnxModel): number => graph.initializers.reduce((sum, tensor) => sum + (tensorBytes(tensor) ?? elementCount(tensor.dims)), 0);

/** Half of the memory is for keys and values, or what weights leave of it; those of a GPU lie elsewhere. */
function contextOf(model: OnnxModel, io: DecoderIo, longest: number, memoryBytes: number, backend: Backend): number {
  const fixedBytes = Math.max(memoryBytes / 2, backend === "wasm" ? weightBytes(model) : 0);
  return fittingContext({ longest, tokenBytes: kvBytesPerToken(io.kv, io.kvType), fixedBytes, memoryBytes });
}

const FORMS: Record<WeightForm, string> = { float32: "weights expanded to 32 bits", int8: "weights rounded to 8 bits", "as-is": "weights as they are" };

const describe = ({ form, why }: RewriteChoice, { attention }: DecoderIo, runsOn: string): string =>
  `${FORMS[form]} (${why}); ${attention === "grouped" ? "grouped attention" : "keys and values joined anew with each token"}; ${runsOn}`;

interface Config {
  readonly contextLength: number | null;
  readonly vocabulary: number | null;
}

async function readConfig(files: ModelFiles): Promise<Config> {
  const text = await files.text("config.json");
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (error) {
    throw invalidFile("config.json", "is no JSON", error);
  }
  const number = (...names: string[]): number | null => {
    const fields = typeof config === "object" && config !== null ? (config as Record<string, unknown>) : {};
    const found = names.map((name) => fields[name]).find((value) => typeof value === "number" && Number.isSafeInteger(value) && value > 0);
    return typeof found === "number" ? found : null;
  };
  return { contextLength: number("max_position_embeddings", "n_positions", "n_ctx", "seq_length"), vocabulary: number("vocab_size") };
}

/** Few: the first call waits for them, and code warms up in it as well. */
const WARM_PROMPT = 4;
const WARM_TOKENS = 2;

/** A short prompt and some single tokens; leaves the sequence empty. */
async function warmUp(decoder: Decoder, step: Step): Promise<void> {
  const ids = Int32Array.from({ length: Math.min(WARM_PROMPT, decoder.contextLength - WARM_TOKENS) }, (_, at) => (at * 7) % decoder.vocabulary);
  let next = await decoder.feed(ids, step);
  if (!(await next.logits()).every(Number.isFinite)) throw new LeaseholdError("backend-unavailable", "The model gives results that are no numbers here.");
  for (let token = 0; token < WARM_TOKENS; token++) next = await decoder.feed(Int32Array.of(await next.greedy()), step);
  await decoder.truncate(0);
}
