/**
 * A decoder on kernels, from a plan and the model's file.
 *
 * - The kernels are held to known answers before anything of the model is read. Where they fail, or there is no memory
 *   to be had, `why` says so and the file is still whole: for another way to run it.
 * - A model that is too large for the memory it may take is `variant-unsupported`: any other way takes more.
 */
import { plainly } from "../backends/engine.ts";
import type { ModelSource } from "../graph/model-source.ts";
import { packedBytes, roundedBytes, startKernels } from "../kernels/kernels.ts";
import type { Step } from "../tasks/task.ts";
import { fittingContext } from "./context-room.ts";
import type { DecoderIo } from "./decoder-io.ts";
import type { Decoder } from "./decoder.ts";
import { PIECE } from "./heap-decoder.ts";
import { KernelDecoder } from "./kernel-decoder.ts";
import { fillWeights, scratchBytes } from "./kernel/fill-weights.ts";
import { bytesPerToken, KernelMemory } from "./kernel/memory.ts";
import { layOut, type Layout } from "./kernel/program.ts";
import { readyKernels } from "./kernel/ready.ts";
import { crewBytes } from "./kernel/runs.ts";
import { Hired } from "./kernel/threads.ts";
import type { TokenPlan } from "./token-plan.ts";

export interface KernelSubject {
  readonly source: ModelSource;
  /** Settles when the model's files are known to be what they should be. */
  readonly verified: () => Promise<void>;
  readonly plan: TokenPlan;
  readonly io: DecoderIo;
  readonly vocabulary: number;
  /** The most that the model takes. */
  readonly contextLength: number;
  readonly memoryBytes: number;
  readonly threads: number;
  readonly areThreadsFixed: boolean;
}

export type KernelOpening = { readonly decoder: Decoder } | { readonly decoder: null; readonly why: string };

export async function openOnKernels(subject: KernelSubject, step: Step): Promise<KernelOpening> {
  const { source, plan, io, threads } = subject;
  const context = Math.min(subject.contextLength, plan.positions);
  const layout = layOut(plan, io.kv, { packedBytes, roundedBytes }, crewBytes(PIECE), PIECE, threads, context);
  const { program, weights } = layout;
  const contextLength = fittingContext({ longest: context, tokenBytes: bytesPerToken(program, io.kv, threads), fixedBytes: program.end, memoryBytes: subject.memoryBytes });
  const hired = Hired.hire(threads);
  try {
    const started = await start(layout, subject, contextLength);
    if (started.why !== null) {
      hired.close();
      return { decoder: null, why: started.why };
    }
    const { memory, module, kernels } = started;
    await fillWeights(weights.placements, source, memory, kernels, program.end, step);
    const enlisted = await hired.enlist(memory.memory, module, kernels, program, subject.areThreadsFixed);
    await subject.verified();
    return {
      decoder: new KernelDecoder({ memory, program, kernels, threads: enlisted, stores: io.kv.length, vocabulary: subject.vocabulary, contextLength, description: `weights in blocks as they are; kernels; ${enlisted.count === 1 ? "one thread" : `${enlisted.count} threads`}` }),
    };
  } catch (error) {
    hired.close();
    throw error;
  }
}

async function start({ program, weights }: Layout, { io, threads }: KernelSubject, contextLength: number) {
  const { module, why } = await readyKernels(threads > 1);
  if (why !== null) return { why };
  try {
    const scratch = Math.max(0, ...weights.placements.map((placement) => (placement.kind === "matrix" ? scratchBytes(placement.matrix) : 0)));
    const memory = new KernelMemory(program, io.kv, threads, contextLength, program.end + scratch);
    return { why, memory, module, kernels: await startKernels(memory.memory, module) };
  } catch (error) {
    return { why: plainly(error) };
  }
}
