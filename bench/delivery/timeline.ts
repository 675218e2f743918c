/** The steps of a start as lines of text: when the first of a name began, when the last ended, how long they took together. */
import type { Step } from "./visits.ts";

export function timeline(steps: readonly Step[]): string {
  const names = [...new Set(steps.map(({ name }) => name))];
  return names
    .map((name) => {
      const same = steps.filter((step) => step.name === name);
      const [from, to] = [Math.min(...same.map(({ fromMs }) => fromMs)), Math.max(...same.map(({ toMs }) => toMs))];
      const sum = same.reduce((total, { fromMs, toMs }) => total + toMs - fromMs, 0);
      return `  ${from.toFixed(0).padStart(6)} – ${to.toFixed(0).padStart(6)}  ${name}${same.length > 1 ? ` (${same.length}, ${sum.toFixed(0)} ms together)` : `, ${sum.toFixed(0)} ms`}`;
    })
    .join("\n");
}
