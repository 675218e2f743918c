/**
 * Runs a token's plan with the kernels, in onnxruntime's memory: between runs of the session on the same keys and values.
 *
 * - Takes its own copy of the weights, in their blocks; `tokenBytes` says how much that is.
 * - Everything is placed once; a token is a list of calls with fixed addresses.
 */
import { tensorBytes, type OnnxTensor, type Payload } from "../../../schema/onnx/types.ts";
import type { OrtModule } from "../backends/ort-module.ts";
import { unpackZeroPoints } from "../graph/blocks.ts";
import { plainElements } from "../graph/tensors.ts";
import { startKernels, type Kernels } from "../kernels/kernels.ts";
import { BLOCK, type Operand, type TokenPlan, type TokenStep } from "./token-plan.ts";

/** Where a run's keys and values lie: one address for each input of the graph. */
export interface KvPlaces {
  readonly capacity: number;
  readonly at: ReadonlyMap<string, number>;
}

interface Run {
  readonly position: number;
  readonly kv: KvPlaces;
}

type ReadPayload = (payload: Payload) => Uint8Array;
type Action = (run: Run) => void;

const ALIGNMENT = 16;

/** Bytes that the plan's weights take beside the session's. */
export function tokenBytes({ embedding, steps }: TokenPlan): number {
  const products = steps.reduce((sum, step) => (step.kind === "product" ? sum + (step.rows * step.columns * step.bits) / 8 + (step.rows * step.columns * 5) / BLOCK : sum), 0);
  return products + (tensorBytes(embedding.rows) ?? 0);
}

export async function startTokenRunner(plan: TokenPlan, ort: OrtModule, read: ReadPayload): Promise<TokenRunner | null> {
  return ort.memory ? new TokenRunner(plan, ort, await startKernels(ort.memory), read) : null;
}

export class TokenRunner {
  readonly #ort: OrtModule;
  readonly #kernels: Kernels;
  readonly #plan: TokenPlan;
  readonly #read: ReadPayload;
  readonly #owned: number[] = [];
  readonly #tensors = new Map<string, number>();
  readonly #values = new Map<string, number>();
  readonly #actions: Action[];
  readonly #rounded: number;
  readonly #rotated: number;
  readonly #embedding: { rows: number; scales: number; zeros: number };
  #scores = 0;
  #scoresRoom = 0;
  #scale = 0;

  constructor(plan: TokenPlan, ort: OrtModule, kernels: Kernels, read: ReadPayload) {
    this.#plan = plan;
    this.#ort = ort;
    this.#kernels = kernels;
    this.#read = read;
    const longest = Math.max(...plan.lengths.values());
    this.#rounded = this.#take(2 * longest + 2 * BLOCK);
    this.#rotated = this.#take(4 * longest);
    for (const [name, length] of plan.lengths) this.#values.set(name, this.#take(4 * length));
    const { rows, scales, zeros, size } = plan.embedding;
    this.#embedding = { rows: this.#place(rows), scales: this.#place(scales), zeros: zeros ? this.#place(zeros) : this.#middle(8, size / BLOCK) };
    let rounded = "";
    this.#actions = plan.steps.flatMap((step) => {
      const actions = this.#actionsOf(step, rounded);
      if (step.kind === "product") rounded = `${step.bits} ${step.input}`;
      return actions;
    });
  }

  /** Computes one token at `position`; its logits lie at the address given back until the next run. */
  run(id: number, position: number, kv: KvPlaces): number {
    if (position + 8 > this.#scoresRoom) {
      if (this.#scores !== 0) this.#ort.free(this.#scores);
      this.#scoresRoom = Math.max(512, 2 * position);
      this.#scores = this.#ort.alloc(4 * this.#scoresRoom + ALIGNMENT);
    }
    this.#embed(id);
    const run = { position, kv };
    for (const action of this.#actions) action(run);
    return this.#valueAt(this.#plan.logits);
  }

  close(): void {
    for (const address of this.#owned) this.#ort.free(address);
    if (this.#scores !== 0) this.#ort.free(this.#scores);
  }

  #embed(id: number): void {
    const { size, output } = this.#plan.embedding;
    const { rows, scales, zeros } = this.#embedding;
    const blocks = size / BLOCK;
    const row = this.#ort.bytes(rows + id * size, size);
    const scale = new Float32Array(row.buffer, scales + 4 * id * blocks, blocks);
    const zero = this.#ort.bytes(this.#plan.embedding.zeros ? zeros + id * blocks : zeros, blocks);
    const to = new Float32Array(row.buffer, this.#valueAt(output), size);
    for (let at = 0; at < size; at++) to[at] = ((row[at] ?? 0) - (zero[at >> 5] ?? 0)) * (scale[at >> 5] ?? 0);
  }

  /** `rounded`: what the activations were last rounded for. */
  #actionsOf(step: TokenStep, rounded: string): Action[] {
    const kernels = this.#kernels;
    const count = "output" in step ? (this.#plan.lengths.get(step.output) ?? 0) : 0;
    const to = this.#valueAt(step.output);
    switch (step.kind) {
      case "product": {
        const [quantized, scales, zeros] = step.weights.tensors;
        const [weightsAt, scalesAt] = [this.#place(quantized), this.#place(scales)];
        const blocks = step.columns / BLOCK;
        const zerosAt = zeros ? this.#placeZeros(zeros, step) : this.#middle(step.bits, step.rows * blocks);
        const [from, round, multiply] = [this.#valueAt(step.input), step.bits === 4 ? kernels.quantizeHalves : kernels.quantize, step.bits === 4 ? kernels.product4 : kernels.product8];
        const product = () => multiply(weightsAt, scalesAt, zerosAt, this.#rounded, this.#scale, to, step.rows, blocks);
        if (rounded === `${step.bits} ${step.input}`) return [product];
        return [() => (this.#scale = round(from, this.#rounded, step.columns)), product];
      }
      case "normalize": {
        const [from, weights] = [this.#valueAt(step.input), this.#place(step.weights)];
        return [() => kernels.normalize(from, weights, to, count, step.epsilon)];
      }
      case "add":
      case "mul": {
        const [a, b, combine] = [this.#valueAt(step.a), this.#valueAt(step.b), kernels[step.kind]];
        return [() => combine(a, b, to, count)];
      }
      case "addConstant": {
        const [a, b] = [this.#valueAt(step.a), this.#place(step.b)];
        return [() => kernels.add(a, b, to, count)];
      }
      case "sigmoid": {
        const from = this.#valueAt(step.input);
        return [() => kernels.sigmoid(from, to, count)];
      }
      case "attention":
        return [this.#attention(step, to)];
    }
  }

  #attention({ attention: { kvHeads, group, headSize, scale }, query, key, value, pastKey, pastValue, cos, sin }: Extract<TokenStep, { kind: "attention" }>, to: number): Action {
    const { rotate, attend } = this.#kernels;
    const [queryAt, keyAt, valueAt] = [query, key, value].map(({ name, from }: Operand) => this.#valueAt(name) + 4 * from) as [number, number, number];
    const [cosAt, sinAt] = [cos ? this.#place(cos) : 0, sin ? this.#place(sin) : 0];
    const size = 4 * headSize;
    const half = headSize / 2;
    const turned = this.#rotated;
    return ({ position, kv: { capacity, at } }) => {
      const angles = 4 * half * position;
      const [keys, values] = [at.get(pastKey) ?? 0, at.get(pastValue) ?? 0];
      const heap = this.#ort.bytes(0, this.#ort.heapBytes);
      for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
        const start = kvHead * capacity * size;
        const own = start + position * size;
        if (cosAt === 0) heap.copyWithin(keys + own, keyAt + kvHead * size, keyAt + (kvHead + 1) * size);
        else rotate(keyAt + kvHead * size, cosAt + angles, sinAt + angles, keys + own, half);
        heap.copyWithin(values + own, valueAt + kvHead * size, valueAt + (kvHead + 1) * size);
        for (let head = kvHead * group; head < (kvHead + 1) * group; head++) {
          if (cosAt !== 0) rotate(queryAt + head * size, cosAt + angles, sinAt + angles, turned, half);
          attend(cosAt === 0 ? queryAt + head * size : turned, keys + start, values + start, this.#scores, to + head * size, position + 1, headSize, scale);
        }
      }
    };
  }

  #valueAt(name: string): number {
    const address = this.#values.get(name);
    if (address === undefined) throw new Error(`the plan has no value ${name}`);
    return address;
  }

  #take(bytes: number): number {
    const address = this.#ort.alloc(bytes + ALIGNMENT);
    this.#owned.push(address);
    return Math.ceil(address / ALIGNMENT) * ALIGNMENT;
  }

  #place(tensor: OnnxTensor): number {
    const payload = plainElements(tensor);
    if (!payload) throw new Error(`the weights ${tensor.name} are not stored plainly`);
    return this.#placed(tensor.name, () => this.#read(payload));
  }

  #placeZeros(tensor: OnnxTensor, step: Extract<TokenStep, { kind: "product" }>): number {
    const payload = plainElements(tensor);
    if (!payload) throw new Error(`the zero points ${tensor.name} are not stored plainly`);
    return this.#placed(`${tensor.name}/unpacked`, () => unpackZeroPoints(step.weights.shape, this.#read(payload)));
  }

  /** Zero points of weights that have none: the middle of their range. */
  #middle(bits: 4 | 8, count: number): number {
    return this.#placed(`middle ${bits} ${count}`, () => new Uint8Array(count).fill(bits === 4 ? 8 : 128));
  }

  #placed(name: string, make: () => Uint8Array): number {
    const known = this.#tensors.get(name);
    if (known !== undefined) return known;
    const bytes = make();
    const address = this.#take(bytes.length);
    this.#ort.bytes(address, bytes.length).set(bytes);
    this.#tensors.set(name, address);
    return address;
  }
}
