/** Looking at logits. Pure. */
import type { Scores } from "../kernels/scores.ts";
import { shortlist } from "../sampling/shortlist.ts";
import type { Candidates } from "./decoder.ts";

/** Throws where what a graph has picked is no pick: among the logits was one that is no number. */
export function sound(picked: Candidates, vocabulary: number): Candidates {
  const [id = -1] = picked.ids;
  if (!Number.isFinite(picked.logits[0]) || Number.isNaN(picked.logSumExp) || id < 0 || id >= vocabulary) throw new Error("the model's logits are no numbers");
  return picked;
}

/** Likeliest first; on equal logits the smaller id. */
export function candidatesOf(scores: Scores, count: number): Candidates {
  const found = shortlist(scores, { temperature: 1, topK: count, topP: 1, minP: 0 });
  return { ids: Int32Array.from(found, ({ token }) => token), logits: Float32Array.from(found, ({ token }) => scores.numbers[token] ?? 0), logSumExp: scores.logSumExp() };
}
