/**
 * What each thread does in a run: phases with addresses in place of names. Pure, and plain data: it goes to other workers.
 *
 * - Addresses are bytes in the one memory. What follows the count of tokens that there is room for (keys, values,
 *   scores) lies behind all that is fixed, and is told with each run.
 */
import { keptBytes, wholeOutputs } from "../../kernels/kernels.ts";
import { lookingBytes } from "../../kernels/scores.ts";
import type { KvPair } from "../decoder.ts";
import type { Operand, TokenPlan } from "../token-plan.ts";
import { phasesOf, type AttendJob, type Job, type Phase, type PhaseKind, type Phases, type StoreJob } from "./phases.ts";
import { aligned, placeValues } from "./value-places.ts";
import { placeWeights, tableOf, type WeightPlaces } from "./weight-places.ts";

/** Rows of one value. */
export interface Rows {
  readonly at: number;
  /** From one to the next. */
  readonly stride: number;
  /** There is one: the last of the run. */
  readonly isLast: boolean;
  /** Where there is one, each thread has its own. */
  readonly isOwn: boolean;
}

/** Keys or values of one layer: [heads, capacity], rows as they are kept. */
export interface Store {
  /** Bytes of each token's keys and values that lie before. */
  readonly before: number;
}

export type Work =
  /** 4 and 8 bits: of packed blocks; 32: of floats. */
  | { readonly kind: "embed"; readonly table: number; readonly bits: 4 | 8 | 32; readonly tokens: number; readonly to: Rows; readonly size: number }
  | { readonly kind: "round"; readonly from: Rows; readonly to: Rows; readonly scales: Rows; readonly size: number }
  | { readonly kind: "normalize"; readonly from: Rows; readonly weights: number; readonly to: Rows; readonly size: number; readonly parts: number; readonly epsilon: number }
  | { readonly kind: "add" | "mul" | "siluMul"; readonly a: Rows; readonly b: Rows; readonly to: Rows; readonly size: number }
  | { readonly kind: "addConstant"; readonly a: Rows; readonly b: number; readonly to: Rows; readonly size: number }
  | { readonly kind: "sigmoid" | "gelu"; readonly from: Rows; readonly to: Rows; readonly size: number }
  | { readonly kind: "scale"; readonly from: Rows; readonly by: number; readonly to: Rows; readonly size: number }
  | { readonly kind: "product"; readonly from: Rows; readonly scales: Rows; readonly weights: number; readonly bits: 4 | 8; readonly to: Rows; readonly n: number; readonly k: number }
  | { readonly kind: "store"; readonly heads: number; readonly kvHeads: number; readonly headSize: number; readonly query: Rows; readonly key: Rows; readonly value: Rows; readonly turned: Rows | null; readonly cos: number; readonly sin: number; readonly keys: Store; readonly values: Store }
  | { readonly kind: "attend"; readonly kvHeads: number; readonly group: number; readonly headSize: number; readonly scale: number; readonly window: number | null; readonly query: Rows; readonly to: Rows; readonly keys: Store; readonly values: Store };

export interface WorkPhase {
  readonly kind: PhaseKind;
  readonly isLast: boolean;
  readonly work: readonly Work[];
}

export interface Program {
  readonly phases: readonly WorkPhase[];
  /** A word for each work of all phases: how many of its parts are taken. */
  readonly claimsAt: number;
  readonly logits: number;
  /** Room for looking at them. */
  readonly lookingAt: number;
  /** The most rows of a run. */
  readonly rows: number;
  /** Keys and values of one token. */
  readonly tokenBytes: number;
  /** The first address behind all that is fixed. */
  readonly end: number;
}

export interface Layout {
  readonly program: Program;
  readonly weights: WeightPlaces;
}

/** What the kernels say of their own forms. */
export interface Forms {
  readonly roundedBytes: (k: number) => number;
  readonly packedBytes: (bits: 4 | 8, n: number, k: number) => number;
}

/** `from`: the first free address. */
export function layOut(plan: TokenPlan, kv: readonly KvPair[], { roundedBytes, packedBytes }: Forms, from: number, rows: number, threads: number, contextLength: number): Layout {
  const weights = placeWeights(plan, from, contextLength, packedBytes);
  const phases = phasesOf(plan, roundedBytes);
  const { places, bytes } = placeValues(phases, rows, threads);
  const resolver = new Resolver(plan, phases, weights, weights.end, places, storesOf(kv));
  const lookingAt = aligned(weights.end + bytes);
  const logits = resolver.rows(phases.logits);
  const claimsAt = aligned(lookingAt + lookingBytes(logits.stride / 4));
  return {
    weights,
    program: {
      phases: phases.phases.map((phase) => resolver.phase(phase)),
      claimsAt,
      logits: logits.at,
      lookingAt,
      rows,
      tokenBytes: kv.reduce((sum, pair) => sum + perToken(pair), 0),
      end: aligned(claimsAt + 4 * phases.phases.reduce((sum, { jobs }) => sum + jobs.length, 0)),
    },
  };
}

const perToken = ({ heads, headSize }: KvPair): number => heads * keptBytes(headSize);

function storesOf(kv: readonly KvPair[]): ReadonlyMap<string, Store> {
  let before = 0;
  return new Map(
    kv.map((pair) => {
      const store = { before };
      before += perToken(pair);
      return [pair.past, store];
    }),
  );
}

class Resolver {
  readonly #plan: TokenPlan;
  readonly #phases: Phases;
  readonly #weights: WeightPlaces;
  readonly #from: number;
  readonly #places: ReadonlyMap<string, number>;
  readonly #stores: ReadonlyMap<string, Store>;

  constructor(plan: TokenPlan, phases: Phases, weights: WeightPlaces, from: number, places: ReadonlyMap<string, number>, stores: ReadonlyMap<string, Store>) {
    this.#plan = plan;
    this.#phases = phases;
    this.#weights = weights;
    this.#from = from;
    this.#places = places;
    this.#stores = stores;
  }

  phase({ kind, isLast, jobs }: Phase): WorkPhase {
    return { kind, isLast, work: jobs.map((job) => this.#work(job)) };
  }

  rows(name: string): Rows {
    const value = this.#phases.values.get(name);
    const place = this.#places.get(name);
    if (!value || place === undefined) throw new Error(`the plan has no value ${name}`);
    return { at: this.#from + place, stride: value.bytes, isLast: value.isLast, isOwn: value.isOwn };
  }

  #work(job: Job): Work {
    switch (job.kind) {
      case "embed": {
        const { embedding } = this.#plan;
        const bits = embedding.table.kind === "floats" ? 32 : embedding.table.bits;
        const table = embedding.table.kind === "floats" ? this.#weights.floats(embedding.table.rows) : this.#weights.matrix(tableOf(embedding, embedding.table));
        return { kind: "embed", table, bits, tokens: embedding.vocabulary, to: this.rows(job.output), size: job.size };
      }
      case "round":
        return { kind: "round", from: this.rows(job.input), to: this.rows(job.output), scales: this.rows(job.scales), size: job.size };
      case "normalize":
        return { kind: "normalize", from: this.rows(job.input), weights: this.#weights.floats(job.weights), to: this.rows(job.output), size: job.size, parts: job.parts, epsilon: job.epsilon };
      case "add":
      case "mul":
      case "siluMul":
        return { kind: job.kind, a: this.rows(job.a), b: this.rows(job.b), to: this.rows(job.output), size: job.size };
      case "addConstant":
        return { kind: "addConstant", a: this.rows(job.a), b: this.#weights.floats(job.b), to: this.rows(job.output), size: job.size };
      case "scale":
        return { kind: "scale", from: this.rows(job.input), by: job.by, to: this.rows(job.output), size: job.size };
      case "sigmoid":
      case "gelu":
        return { kind: job.kind, from: this.rows(job.input), to: this.rows(job.output), size: job.size };
      case "product": {
        const { bits, n, k } = job.weights.shape;
        return { kind: "product", from: this.rows(job.input), scales: this.rows(job.scales), weights: this.#weights.matrix(job.weights), bits, to: this.rows(job.output), n: wholeOutputs(n), k };
      }
      case "store":
        return this.#storing(job);
      case "attend":
        return this.#attending(job);
    }
  }

  #storing({ of: { attention: { kvHeads, group, headSize }, query, key, value, pastKey, pastValue, cos, sin }, turned }: StoreJob): Work {
    return {
      kind: "store", heads: kvHeads * group, kvHeads, headSize,
      query: this.#operand(query), key: this.#operand(key), value: this.#operand(value), turned: turned === null ? null : this.rows(turned),
      cos: cos ? this.#weights.floats(cos) : 0, sin: sin ? this.#weights.floats(sin) : 0,
      keys: this.#store(pastKey), values: this.#store(pastValue),
    };
  }

  #attending({ of: { attention: { kvHeads, group, headSize, scale, window }, output, pastKey, pastValue }, query }: AttendJob): Work {
    return { kind: "attend", kvHeads, group, headSize, scale, window, query: this.#operand(query), to: this.rows(output), keys: this.#store(pastKey), values: this.#store(pastValue) };
  }

  #operand({ name, from }: Operand): Rows {
    const rows = this.rows(name);
    return { ...rows, at: rows.at + 4 * from };
  }

  #store(past: string): Store {
    const store = this.#stores.get(past);
    if (!store) throw new Error(`the graph has no ${past}`);
    return store;
  }
}
