/**
 * A model's self-test by tokens, on the decoder as it was opened here.
 *
 * - Token for token: a backend or a rewrite that goes another way is not used, however fluent its text.
 */
import type { SelfTest } from "../../../schema/contract/self-test.ts";
import type { Step } from "../tasks/task.ts";
import type { Decoder } from "./decoder.ts";

/** What is wrong, in plain words; `null` where the answer is right, or the self-test is of another kind. Leaves the sequence empty. */
export async function tokenFault(decoder: Decoder, selfTest: SelfTest | undefined, step: Step): Promise<string | null> {
  if (selfTest?.kind !== "tokens") return null;
  const { input_ids: input, output_ids: expected } = selfTest;
  await decoder.truncate(0);
  let next = await decoder.feed(Int32Array.from(input), step);
  let fault: string | null = null;
  for (const [at, id] of expected.entries()) {
    const found = await next.greedy();
    if (found !== id) {
      fault = `its self-test gives the token ${found} at place ${at + 1} of ${expected.length}, not ${id}`;
      break;
    }
    if (at + 1 < expected.length) next = await decoder.feed(Int32Array.of(id), step);
  }
  await decoder.truncate(0);
  return fault;
}
