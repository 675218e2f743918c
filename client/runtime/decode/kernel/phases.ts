/**
 * A plan, ordered into phases: within one, threads need not wait for each other. Pure.
 *
 * - "rows": each row on its own, one job after another by the same thread. "products": each output on its own.
 *   "store": new keys and values go to their places. "attend": each head on its own.
 * - Of a single row, rows and stores need no waiting either: every thread does what it takes later by itself.
 * - A job stands in the first phase of its kind in which all that it takes is there.
 * - From the last attention on only the last row is computed: nothing else is looked at. A value of that part has one
 *   row (`isLast`), and its phases are left out where no logits are wanted. It has room for whole vectors and for as
 *   many outputs as are packed together: nothing else needs a vocabulary to be of some length.
 */
import type { OnnxTensor } from "../../../../schema/onnx/types.ts";
import type { Weights } from "../../graph/expand-blocks.ts";
import { wholeOutputs } from "../../kernels/kernels.ts";
import type { Operand, TokenPlan, TokenStep } from "../token-plan.ts";

export type RowJob =
  | { readonly kind: "embed"; readonly output: string; readonly size: number }
  | { readonly kind: "round"; readonly input: string; readonly output: string; readonly scales: string; readonly size: number }
  | { readonly kind: "normalize"; readonly input: string; readonly output: string; readonly weights: OnnxTensor; readonly size: number; readonly parts: number; readonly epsilon: number }
  | { readonly kind: "add" | "mul" | "siluMul"; readonly a: string; readonly b: string; readonly output: string; readonly size: number }
  | { readonly kind: "addConstant"; readonly a: string; readonly b: OnnxTensor; readonly output: string; readonly size: number }
  | { readonly kind: "sigmoid" | "gelu"; readonly input: string; readonly output: string; readonly size: number }
  | { readonly kind: "scale"; readonly input: string; readonly by: number; readonly output: string; readonly size: number };

export interface ProductJob {
  readonly kind: "product";
  readonly input: string;
  readonly scales: string;
  readonly output: string;
  readonly weights: Weights;
}

type Attention = Extract<TokenStep, { kind: "attention" }>;

export interface StoreJob {
  readonly kind: "store";
  readonly of: Attention;
  /** Where the rotated queries go; `null` where there is no rotation. */
  readonly turned: string | null;
}

export interface AttendJob {
  readonly kind: "attend";
  readonly of: Attention;
  readonly query: Operand;
}

export type Job = RowJob | ProductJob | StoreJob | AttendJob;
export type PhaseKind = "rows" | "products" | "store" | "attend";

export interface Phase {
  readonly kind: PhaseKind;
  readonly isLast: boolean;
  readonly jobs: readonly Job[];
}

export interface Value {
  /** Of one row. */
  readonly bytes: number;
  readonly isLast: boolean;
  /** Made in a phase of rows: where a run has one, each thread makes its own. */
  readonly isOwn: boolean;
}

export interface Phases {
  readonly phases: readonly Phase[];
  readonly values: ReadonlyMap<string, Value>;
  readonly logits: string;
}

const wholeVectors = (length: number): number => Math.ceil(length / 4) * 4;

/** `roundedBytes`: of a row of so many numbers. */
export function phasesOf(plan: TokenPlan, roundedBytes: (size: number) => number): Phases {
  const scheduler = new Scheduler(plan.lengths, roundedBytes);
  const { output, size } = plan.embedding;
  scheduler.add({ kind: "embed", output, size }, [], [output], false);
  const lastAttention = plan.steps.findLastIndex(({ kind }) => kind === "attention");
  plan.steps.forEach((step, index) => scheduler.step(step, index >= lastAttention));
  return { phases: scheduler.phases, values: scheduler.values, logits: plan.logits };
}

const PHASE_OF: Record<Job["kind"], PhaseKind> = {
  embed: "rows", round: "rows", normalize: "rows", add: "rows", mul: "rows", siluMul: "rows", addConstant: "rows", sigmoid: "rows", gelu: "rows", scale: "rows",
  product: "products", store: "store", attend: "attend",
};

class Scheduler {
  readonly phases: { kind: PhaseKind; isLast: boolean; jobs: Job[] }[] = [];
  readonly values = new Map<string, Value>();
  readonly #madeIn = new Map<string, number>();
  readonly #lengths: ReadonlyMap<string, number>;
  readonly #roundedBytes: (size: number) => number;

  constructor(lengths: ReadonlyMap<string, number>, roundedBytes: (size: number) => number) {
    this.#lengths = lengths;
    this.#roundedBytes = roundedBytes;
  }

  step(step: TokenStep, isLast: boolean): void {
    const size = wholeVectors(this.#lengths.get(step.output) ?? 0);
    switch (step.kind) {
      case "product": {
        const [input, scales] = this.#round(step.input, step.weights.shape.k, isLast);
        this.add({ kind: "product", input, scales, output: step.output, weights: step.weights }, [input, scales], [step.output], isLast);
        break;
      }
      case "normalize":
        this.add({ ...step, size }, [step.input], [step.output], isLast);
        break;
      case "add":
      case "mul":
      case "siluMul":
        this.add({ ...step, size }, [step.a, step.b], [step.output], isLast);
        break;
      case "addConstant":
        this.add({ ...step, size }, [step.a], [step.output], isLast);
        break;
      case "sigmoid":
      case "gelu":
      case "scale":
        this.add({ ...step, size }, [step.input], [step.output], isLast);
        break;
      case "attention":
        this.#attend(step, isLast);
    }
  }

  add(job: Job, inputs: readonly string[], outputs: readonly string[], isLast: boolean, bytes?: readonly number[]): void {
    const kind = PHASE_OF[job.kind];
    const there = Math.max(-1, ...inputs.map((name) => this.#phaseOf(name)));
    let at = this.phases.findIndex((phase, index) => phase.kind === kind && phase.isLast === isLast && (index > there || (index === there && kind === "rows")));
    if (at < 0) at = this.phases.push({ kind, isLast, jobs: [] }) - 1;
    this.phases[at]?.jobs.push(job);
    outputs.forEach((name, index) => {
      this.#madeIn.set(name, at);
      this.values.set(name, { bytes: bytes?.[index] ?? 4 * this.#room(name, isLast), isLast, isOwn: kind === "rows" });
    });
  }

  /** Once for all products that take it. */
  #round(input: string, size: number, isLast: boolean): [rounded: string, scales: string] {
    const [rounded, scales] = [`${input}/rounded`, `${input}/scales`];
    if (!this.values.has(rounded)) this.add({ kind: "round", input, output: rounded, scales, size }, [input], [rounded, scales], isLast, [this.#roundedBytes(size), 4]);
    return [rounded, scales];
  }

  #attend(step: Attention, isLast: boolean): void {
    const { attention: { kvHeads, group, headSize }, query, key, value, cos, output } = step;
    const turned = cos ? `${output}/turned` : null;
    const stored = `${output}/stored`;
    this.add({ kind: "store", of: step, turned }, [query.name, key.name, value.name], turned === null ? [stored] : [turned, stored], false, turned === null ? [0] : [4 * kvHeads * group * headSize, 0]);
    const turnedQuery = turned === null ? query : { name: turned, from: 0 };
    this.add({ kind: "attend", of: step, query: turnedQuery }, [turnedQuery.name, stored], [output], isLast);
  }

  /** Rows of several lie one behind the other, so that these have no more than they hold. */
  #room(name: string, isLast: boolean): number {
    const length = this.#lengths.get(name) ?? 0;
    return isLast ? wholeOutputs(length) : length;
  }

  #phaseOf(name: string): number {
    const phase = this.#madeIn.get(name);
    if (phase === undefined) throw new Error(`the plan takes ${name} before it is made`);
    return phase;
  }
}

/** The values that a job takes, and those that it makes. */
export function usesOf(job: Job): { readonly takes: readonly string[]; readonly makes: readonly string[] } {
  switch (job.kind) {
    case "embed":
      return { takes: [], makes: [job.output] };
    case "round":
      return { takes: [job.input], makes: [job.output, job.scales] };
    case "normalize":
    case "sigmoid":
    case "gelu":
    case "scale":
      return { takes: [job.input], makes: [job.output] };
    case "add":
    case "mul":
    case "siluMul":
      return { takes: [job.a, job.b], makes: [job.output] };
    case "addConstant":
      return { takes: [job.a], makes: [job.output] };
    case "product":
      return { takes: [job.input, job.scales], makes: [job.output] };
    case "store":
      return { takes: [job.of.query.name, job.of.key.name, job.of.value.name], makes: job.turned === null ? [] : [job.turned] };
    case "attend":
      return { takes: [job.query.name], makes: [job.of.output] };
  }
}
