/** From a model's numbers to an embedding or to scores. Pure. */

export type Pooling = "mean" | "cls" | "max" | "last";

/** By sentence-transformers' names for them: fields that are true, or since version 5 the one that `pooling_mode` names. */
const KNOWN: Readonly<Record<string, Pooling>> = {
  pooling_mode_cls_token: "cls", pooling_mode_mean_tokens: "mean", pooling_mode_max_tokens: "max", pooling_mode_lasttoken: "last",
  cls: "cls", mean: "mean", max: "max", lasttoken: "last",
};

/** As `1_Pooling/config.json` states it; mean where it doesn't. `null`: in a way that isn't known here, or in several at once. */
export function poolingOf(config: Readonly<Record<string, unknown>>): Pooling | null {
  const { pooling_mode: mode } = config;
  const stated = typeof mode === "string" ? [mode] : Object.keys(config).filter((name) => name.startsWith("pooling_mode_") && config[name] === true);
  if (stated.length === 0) return "mean";
  return stated.length === 1 ? (KNOWN[stated[0] ?? ""] ?? null) : null;
}

/** One text's embedding of its first `length` tokens; `states` is [tokens, size]. */
export function pool(states: Float32Array, size: number, length: number, pooling: Pooling): Float32Array {
  const token = (at: number) => states.subarray(at * size, (at + 1) * size);
  if (pooling === "cls") return token(0).slice();
  if (pooling === "last") return token(length - 1).slice();
  const result = token(0).slice();
  for (let at = 1; at < length; at++) {
    const state = token(at);
    for (let i = 0; i < size; i++) result[i] = pooling === "max" ? Math.max(result[i] as number, state[i] as number) : (result[i] as number) + (state[i] as number);
  }
  return pooling === "max" ? result : result.map((sum) => sum / length);
}

/** To length 1; an embedding of zeros stays. */
export function normalized(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}

export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const max = Math.max(...values);
  const weights = values.map((value) => Math.exp(value - max));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));
