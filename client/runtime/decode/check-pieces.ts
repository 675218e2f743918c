/**
 * How many tokens of a prompt may go in one run on this graphics device.
 *
 * - Why: kernels for many rows are others than those for few, and wrong ones give no error. (Seen: grouped attention of 32
 *   and more tokens on an emulated adapter.) Nothing of a short trial runs them.
 * - A small piece is held to single tokens, and one of full size to small ones. What differs isn't used.
 * - An emulated adapter, which only who names WebGPU gets, takes small ones without a trial: it would last half a minute.
 */
import type { Step } from "../tasks/task.ts";
import type { Decoder, KvType } from "./decoder.ts";

/** A decoder whose prompts go in pieces of `piece` tokens. */
export interface DecoderInPieces extends Decoder {
  piece: number;
  description: string;
}

const SMALL = 16;
/** Sums in another order. Of all logits together, in parts of their size. */
const TOLERANCE: Record<KvType, number> = { float32: 2e-3, float16: 3e-2 };

/** Sets the decoder's pieces; where they are smaller than they were its description says so. Leaves the sequence empty. */
export async function fitPieces(decoder: DecoderInPieces, type: KvType, isEmulated: boolean, step: Step): Promise<void> {
  const full = decoder.piece;
  if (isEmulated) {
    decoder.piece = SMALL;
    return;
  }
  const after = async (count: number, piece: number): Promise<Float32Array> => {
    decoder.piece = piece;
    await decoder.truncate(0);
    const next = await decoder.feed(Int32Array.from({ length: Math.min(count, decoder.contextLength) }, (_, at) => (at * 7) % decoder.vocabulary), step);
    return next.logits();
  };
  const agree = async (piece: number, smaller: number): Promise<boolean> => difference(await after(piece, piece), await after(piece, smaller)) <= TOLERANCE[type];
  const right = !(await agree(SMALL, 1)) ? 1 : (await agree(full, SMALL)) ? full : SMALL;
  decoder.piece = right;
  await decoder.truncate(0);
  if (right !== full) decoder.description += `, prompts ${right === 1 ? "token by token" : `in pieces of ${right}`} (larger ones come out wrong here)`;
}

export function difference(actual: Float32Array, expected: Float32Array): number {
  let [apart, size] = [0, 0];
  expected.forEach((logit, id) => {
    apart += (logit - (actual[id] ?? NaN)) ** 2;
    size += logit ** 2;
  });
  return apart === 0 ? 0 : Math.sqrt(apart / size);
}
