/** What every decoder's `feed` does alike: it refuses what doesn't fit, runs the rest in pieces, and lets only the newest logits be read. */
import { LeaseholdError } from "../../errors.ts";
import type { Step } from "../tasks/task.ts";
import type { Decoder } from "./decoder.ts";

/** Runs `ids` in pieces of `size`, with a `step` before each. Throws `context-length-exceeded` before the first where they don't fit. */
export async function feedInPieces({ position, contextLength }: Pick<Decoder, "position" | "contextLength">, ids: Int32Array, size: number, step: Step, run: (piece: Int32Array) => unknown): Promise<void> {
  const total = position + ids.length;
  if (total > contextLength) throw new LeaseholdError("context-length-exceeded", `The text has ${total} tokens; the model holds at most ${contextLength} here.`);
  for (let at = 0; at < ids.length; at += size) {
    await step();
    await run(ids.subarray(at, at + size));
  }
}

/** Reads for as long as `runs` says what it says now; rejects after that. */
export function whileCurrent(runs: () => number): <T>(read: () => Promise<T>) => Promise<T> {
  const then = runs();
  return async (read) => {
    if (runs() !== then) throw new Error("these logits are gone: the decoder has moved on");
    return read();
  };
}
