/**
 * Brings a decoder's weights from its file to their places, in the order in which they lie there.
 *
 * - The last outputs of a matrix are filled up with some of nothing where they are too few to be packed together.
 * - Matrices go through `scratch` a few rows at a time. What has been read for the last time is let go on the way, so
 *   that a model is never in memory twice.
 */
import type { ByteRange, Payload } from "../../../../schema/onnx/types.ts";
import { unpackZeroPoints } from "../../graph/blocks.ts";
import type { ModelSource } from "../../graph/model-source.ts";
import { plainElements } from "../../graph/tensors.ts";
import { OUTPUTS, packedBytes, wholeOutputs, type Kernels } from "../../kernels/kernels.ts";
import type { Step } from "../../tasks/task.ts";
import type { KernelMemory } from "./memory.ts";
import { aligned } from "./value-places.ts";
import type { Matrix, Placement } from "./weight-places.ts";

/** Blocks in the scratch at a time, and in memory between two looks at what may go. */
const AT_A_TIME = 1024 * 1024;
const BETWEEN = 4 * 1024 * 1024;

/** What of a file a payload is, or is made of. */
const rangesOf = (payload: Payload): ByteRange[] => ("offset" in payload ? [payload] : "make" in payload ? payload.from.flatMap(rangesOf) : []);
const fileOffset = (payload: Payload | undefined): number => (payload && rangesOf(payload)[0]?.offset) ?? 0;
const payloadsOf = (placement: Placement): Payload[] => (placement.kind === "floats" ? [placement.from] : placement.matrix.tensors.flatMap((tensor) => (tensor ? [plainOf(tensor)] : [])));

function plainOf(tensor: Matrix["tensors"][0]): Payload {
  const payload = plainElements(tensor);
  if (!payload) throw new Error(`the weights ${tensor.name} are not stored plainly`);
  return payload;
}

/** Bytes that `fillWeights` needs of the scratch for one matrix. */
export function scratchBytes({ shape: { n, k, bits } }: Matrix): number {
  const rows = Math.min(rowsAtATime(k, bits), wholeOutputs(n));
  return aligned((rows * k * bits) / 8) + aligned((4 * rows * k) / 32) + aligned((rows * k) / 32);
}

const rowsAtATime = (k: number, bits: number): number => OUTPUTS * Math.max(1, Math.floor((AT_A_TIME * 8) / bits / k / OUTPUTS));

interface Ordered {
  readonly placement: Placement;
  readonly payloads: readonly Payload[];
}

export async function fillWeights(placements: readonly Placement[], source: ModelSource, memory: KernelMemory, kernels: Kernels, scratch: number, step: Step): Promise<void> {
  const ranges = (of: readonly Ordered[]): ByteRange[] => of.flatMap(({ payloads }) => payloads.flatMap(rangesOf));
  const inOrder: Ordered[] = placements.map((placement) => ({ placement, payloads: payloadsOf(placement) })).sort((a, b) => fileOffset(a.payloads[0]) - fileOffset(b.payloads[0]));
  const all = ranges(inOrder);
  let since = BETWEEN;
  for (const [index, { placement, payloads }] of inOrder.entries()) {
    if (since >= BETWEEN) {
      since = 0;
      source.keepOnly(ranges(inOrder.slice(index)), all);
      await step();
    }
    if (placement.kind === "floats") await fillFloats(placement, source, memory);
    else await fillMatrix(placement.matrix, placement.at, source, memory, kernels, scratch);
    since += payloads.reduce((sum, { length }) => sum + length, 0);
  }
  source.keepOnly([], all);
}

async function fillFloats({ at, bytes, from }: Extract<Placement, { kind: "floats" }>, source: ModelSource, memory: KernelMemory): Promise<void> {
  for (let done = 0; done < bytes; done += BETWEEN) {
    const part = await source.part(from, done, Math.min(BETWEEN, bytes - done));
    memory.bytes(at + done, part.length).set(part);
  }
}

async function fillMatrix({ shape, tensors: [quantized, scales, zeros] }: Matrix, at: number, source: ModelSource, memory: KernelMemory, kernels: Kernels, scratch: number): Promise<void> {
  const { n, k, bits } = shape;
  const [rowBytes, blocks] = [(k * bits) / 8, k / 32];
  const together = rowsAtATime(k, bits);
  const allZeros = zeros && unpackZeroPoints(shape, await source.part(plainOf(zeros), 0, plainOf(zeros).length));
  for (let row = 0; row < n; row += together) {
    const rows = Math.min(together, n - row);
    const whole = wholeOutputs(rows);
    const scalesAt = scratch + aligned(whole * rowBytes);
    const zerosAt = scalesAt + aligned(4 * whole * blocks);
    memory.bytes(scalesAt + 4 * rows * blocks, 4 * (whole - rows) * blocks).fill(0);
    memory.bytes(scratch, rows * rowBytes).set(await source.part(plainOf(quantized), row * rowBytes, rows * rowBytes));
    memory.bytes(scalesAt, 4 * rows * blocks).set(await source.part(plainOf(scales), 4 * row * blocks, 4 * rows * blocks));
    if (allZeros) memory.bytes(zerosAt, rows * blocks).set(allZeros.subarray(row * blocks, (row + rows) * blocks));
    kernels.pack(bits, scratch, scalesAt, allZeros ? zerosAt : 0, at + packedBytes(bits, row, k), whole, k);
  }
}
