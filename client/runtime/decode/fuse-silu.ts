/** A plan's steps, those that one kernel does together as one. Pure. */
import type { TokenStep } from "./token-plan.ts";

/** Sigmoid and the two products after it as one step, where nothing else takes what is between. */
export function withSilu(steps: readonly TokenStep[], logits: string): TokenStep[] {
  const takers = new Map<string, TokenStep[]>();
  for (const step of steps) for (const name of inputsOf(step)) takers.set(name, [...(takers.get(name) ?? []), step]);
  const onlyTaker = (name: string): TokenStep | null => {
    const [taker, ...others] = takers.get(name) ?? [];
    return taker && others.length === 0 && name !== logits ? taker : null;
  };
  const fused = new Map<TokenStep, TokenStep | null>();
  for (const step of steps) {
    if (step.kind !== "sigmoid") continue;
    const silu = onlyTaker(step.output);
    if (silu?.kind !== "mul" || ![silu.a, silu.b].includes(step.input)) continue;
    const last = onlyTaker(silu.output);
    if (last?.kind !== "mul" || last.a === last.b) continue;
    fused.set(step, null).set(silu, null).set(last, { kind: "siluMul", a: step.input, b: last.a === silu.output ? last.b : last.a, output: last.output });
  }
  return steps.flatMap((step) => {
    const other = fused.get(step);
    return other === undefined ? [step] : other === null ? [] : [other];
  });
}

function inputsOf(step: TokenStep): string[] {
  switch (step.kind) {
    case "add":
    case "mul":
    case "siluMul":
      return [step.a, step.b];
    case "addConstant":
      return [step.a];
    case "attention":
      return [step.query.name, step.key.name, step.value.name];
    case "product":
    case "normalize":
    case "sigmoid":
    case "gelu":
    case "scale":
      return [step.input];
  }
}
