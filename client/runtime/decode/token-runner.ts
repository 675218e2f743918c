/**
 * Runs a token's plan with the kernels, in onnxruntime's memory: between runs of the session on the same keys and values.
 *
 * - Takes its own copy of the weights, in their blocks; `tokenBytes` says how much that is.
 * - Everything is placed once; a token is a list of calls with fixed addresses.
 */
import type { OnnxTensor, Payload } from "../../../schema/onnx/types.ts";
import type { OrtModule } from "../backends/ort-module.ts";
import { unpackZeroPoints, type BlockShape } from "../graph/blocks.ts";
import type { Weights } from "../graph/expand-blocks.ts";
import { plainElements } from "../graph/tensors.ts";
import { BLOCK, packedBytes, roundedBytes, scoresBytes, startKernels, type Kernels } from "../kernels/kernels.ts";
import type { Operand, TokenPlan, TokenStep } from "./token-plan.ts";

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
  const products = steps.reduce((sum, step) => (step.kind === "product" ? sum + packedBytes(step.bits, step.rows, step.columns) : sum), 0);
  return products + packedBytes(8, embedding.vocabulary, embedding.size);
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
  /** The scale of what is rounded. */
  readonly #scale: number;
  readonly #rotated: number;
  readonly #headSize: number;
  readonly #embedding: number;
  #scores = 0;
  #scoresRoom = 0;

  constructor(plan: TokenPlan, ort: OrtModule, kernels: Kernels, read: ReadPayload) {
    this.#plan = plan;
    this.#ort = ort;
    this.#kernels = kernels;
    this.#read = read;
    const longest = Math.max(...plan.lengths.values());
    this.#rounded = this.#take(roundedBytes(Math.ceil(longest / BLOCK) * BLOCK));
    this.#scale = this.#take(4);
    this.#rotated = this.#take(4 * longest);
    this.#headSize = Math.max(0, ...plan.steps.map((step) => (step.kind === "attention" ? step.attention.headSize : 0)));
    for (const [name, length] of plan.lengths) this.#values.set(name, this.#take(4 * length));
    const { rows, scales, zeros, vocabulary, size } = plan.embedding;
    this.#embedding = this.#pack({ n: vocabulary, k: size, bits: 8, blockSize: BLOCK }, [rows, scales, zeros]);
    let rounded = "";
    this.#actions = plan.steps.flatMap((step) => {
      const actions = this.#actionsOf(step, rounded);
      if (step.kind === "product") rounded = step.input;
      return actions;
    });
  }

  /** Computes one token at `position`; its logits lie at the address given back until the next run. */
  run(id: number, position: number, kv: KvPlaces): number {
    if (position >= this.#scoresRoom) {
      if (this.#scores !== 0) this.#ort.free(this.#scores);
      this.#scoresRoom = Math.max(512, 2 * position);
      this.#scores = this.#ort.alloc(scoresBytes(this.#scoresRoom, this.#headSize));
    }
    const { size, output } = this.#plan.embedding;
    this.#kernels.unpack(8, this.#embedding, id, this.#valueAt(output), size);
    const run = { position, kv };
    for (const action of this.#actions) action(run);
    return this.#valueAt(this.#plan.logits);
  }

  close(): void {
    for (const address of this.#owned) this.#ort.free(address);
    if (this.#scores !== 0) this.#ort.free(this.#scores);
  }

  /** `rounded`: which value was last rounded. */
  #actionsOf(step: TokenStep, rounded: string): Action[] {
    const kernels = this.#kernels;
    const count = "output" in step ? (this.#plan.lengths.get(step.output) ?? 0) : 0;
    const to = this.#valueAt(step.output);
    switch (step.kind) {
      case "product": {
        const { rows: n, columns: k, bits } = step;
        const [packed, from] = [this.#pack(step.weights.shape, step.weights.tensors), this.#valueAt(step.input)];
        const product = () => kernels.product(bits, packed, this.#rounded, this.#scale, to, 1, n, k, 0, n);
        return rounded === step.input ? [product] : [() => kernels.round(from, this.#rounded, this.#scale, 1, k), product];
      }
      case "normalize": {
        const [from, weights] = [this.#valueAt(step.input), this.#place(step.weights)];
        return [() => kernels.normalize(from, weights, to, 1, count, step.epsilon)];
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
    const { rotate, copy, attend } = this.#kernels;
    const [queryAt, keyAt, valueAt] = [query, key, value].map(({ name, from }: Operand) => this.#valueAt(name) + 4 * from) as [number, number, number];
    const [cosAt, sinAt] = [cos ? this.#place(cos) : 0, sin ? this.#place(sin) : 0];
    const size = 4 * headSize;
    const half = headSize / 2;
    const turned = this.#rotated;
    return ({ position, kv: { capacity, at } }) => {
      const angles = 4 * half * position;
      const [keys, values] = [at.get(pastKey) ?? 0, at.get(pastValue) ?? 0];
      for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
        const start = kvHead * capacity * size;
        const own = start + position * size;
        if (cosAt === 0) copy(keyAt + kvHead * size, size, keys + own, size, 1, headSize);
        else rotate(keyAt + kvHead * size, size, cosAt + angles, sinAt + angles, keys + own, size, 1, half);
        copy(valueAt + kvHead * size, size, values + own, size, 1, headSize);
        for (let head = kvHead * group; head < (kvHead + 1) * group; head++) {
          if (cosAt !== 0) rotate(queryAt + head * size, size, cosAt + angles, sinAt + angles, turned, size, 1, half);
          attend(cosAt === 0 ? queryAt + head * size : turned, size, keys + start, values + start, this.#scores, to + head * size, size, 1, position, headSize, scale);
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

  #pack(shape: BlockShape, [quantized, scales, zeros]: Weights["tensors"]): number {
    const { n, k, bits } = shape;
    const name = [quantized, scales, zeros].map((tensor) => tensor?.name ?? "").join(" ");
    const known = this.#tensors.get(name);
    if (known !== undefined) return known;
    const address = this.#take(packedBytes(bits, n, k));
    const raw = [this.#payload(quantized), this.#payload(scales), ...(zeros ? [unpackZeroPoints(shape, this.#payload(zeros))] : [])];
    const places = raw.map((bytes) => this.#ort.alloc(bytes.length));
    try {
      for (const [index, bytes] of raw.entries()) this.#ort.bytes(places[index] ?? 0, bytes.length).set(bytes);
      const [weightsAt = 0, scalesAt = 0, zerosAt = 0] = places;
      this.#kernels.pack(bits, weightsAt, scalesAt, zerosAt, address, n, k);
    } finally {
      for (const place of places) this.#ort.free(place);
    }
    this.#tensors.set(name, address);
    return address;
  }

  #place(tensor: OnnxTensor): number {
    const known = this.#tensors.get(tensor.name);
    if (known !== undefined) return known;
    const bytes = this.#payload(tensor);
    const address = this.#take(bytes.length);
    this.#ort.bytes(address, bytes.length).set(bytes);
    this.#tensors.set(tensor.name, address);
    return address;
  }

  #payload(tensor: OnnxTensor): Uint8Array {
    const payload = plainElements(tensor);
    if (!payload) throw new Error(`the weights ${tensor.name} are not stored plainly`);
    return this.#read(payload);
  }
}
