/** Looking at logits. Pure. */
import type { Candidates } from "./decoder.ts";

/** Throws where none is a number: a backend that gives such logits must not go on. */
export function likeliest(logits: Float32Array): number {
  let best = 0;
  let most = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? -Infinity;
    if (logit > most) {
      most = logit;
      best = id;
    }
  }
  if (most === -Infinity) throw new Error("the model's logits are no numbers");
  return best;
}

/** Throws where what a graph has picked is no pick: among the logits was one that is no number. */
export function sound(picked: Candidates, vocabulary: number): Candidates {
  const [id = -1] = picked.ids;
  if (!Number.isFinite(picked.logits[0]) || Number.isNaN(picked.logSumExp) || id < 0 || id >= vocabulary) throw new Error("the model's logits are no numbers");
  return picked;
}

/** Likeliest first; on equal logits the smaller id. */
export function candidatesOf(logits: Float32Array, count: number): Candidates {
  const ids: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? -Infinity;
    if (ids.length === count && logit <= (logits[ids[count - 1] ?? 0] ?? 0)) continue;
    let at = Math.min(ids.length, count - 1);
    while (at > 0 && logit > (logits[ids[at - 1] ?? 0] ?? 0)) {
      ids[at] = ids[at - 1] ?? 0;
      at--;
    }
    ids[at] = id;
  }
  return { ids: Int32Array.from(ids), logits: Float32Array.from(ids, (id) => logits[id] ?? 0), logSumExp: logSumExp(logits) };
}

export function logSumExp(logits: Float32Array): number {
  let most = -Infinity;
  for (const logit of logits) most = Math.max(most, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  return most + Math.log(sum);
}
