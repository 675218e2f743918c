/**
 * How a model's nodes hang together: nothing is made twice or needed to make itself, and functions put in the place of
 * their calls, as a runtime does it, give no more nodes, and no more bytes of constants, than the limits. Pure but for
 * its rests; throws `Refused`, and what these throw.
 *
 * - Nodes may stand in any order: runtimes sort them.
 * - Functions may call functions, and none itself; how deep is bounded, for the stack's sake.
 */
import { Refused, quoted } from "./fault.ts";
import type { Rest } from "./rest.ts";
import { type OnnxFunction, type OnnxGraph, type OnnxModel, type OnnxNode, type OnnxTensor, elementCount, tensorBytes } from "./types.ts";

/** Exporters nest a few; each level may multiply the nodes. */
const CALLS = 16;

/** What a model comes to once its functions are put in place: nodes, and bytes that their attributes hold in functions. */
export interface Expanse {
  readonly nodes: number;
  readonly bytes: number;
}

export async function inspectFlow({ graph, functions }: OnnxModel, most: Expanse, rest?: Rest): Promise<void> {
  await neededBy(graph.nodes, namesOf(graph), rest);
  for (const { nodes } of functions) await neededBy(nodes, new Set(), rest);
  new Expansion(functions, most).count(graph.nodes, 0);
}

const namesOf = ({ inputs, initializers }: OnnxGraph): Set<string> => new Set([...inputs, ...initializers].map(({ name }) => name));

const subgraphs = ({ attributes }: OnnxNode): OnnxGraph[] => attributes.flatMap(({ g, graphs = [] }) => (g ? [g, ...graphs] : graphs));

/** The values that these nodes take from around them; `given`: what stands beside them. */
async function neededBy(nodes: readonly OnnxNode[], given: ReadonlySet<string>, rest: Rest | undefined): Promise<Set<string>> {
  const makers = new Map<string, number>();
  for (const [index, { outputs }] of nodes.entries()) {
    for (const name of outputs) {
      const pause = rest?.due();
      if (pause) await pause;
      if (name === "") continue;
      if (makers.has(name) || given.has(name)) throw new Refused("model-graph-invalid", `${quoted(name)} is made twice.`);
      makers.set(name, index);
    }
  }
  const outer = new Set<string>();
  const waiting = new Uint32Array(nodes.length);
  const followers = nodes.map((): number[] => []);
  for (const [index, node] of nodes.entries()) {
    const needs = new Set<string>();
    for (const name of node.inputs) {
      const pause = rest?.due();
      if (pause) await pause;
      if (name !== "") needs.add(name);
    }
    for (const graph of subgraphs(node)) for (const name of await neededBy(graph.nodes, namesOf(graph), rest)) needs.add(name);
    for (const name of needs) {
      const pause = rest?.due();
      if (pause) await pause;
      const maker = makers.get(name);
      if (maker === undefined) {
        if (!given.has(name)) outer.add(name);
        continue;
      }
      (followers[maker] as number[]).push(index);
      waiting[index] = (waiting[index] as number) + 1;
    }
  }
  const ready = nodes.flatMap((_, index) => (waiting[index] === 0 ? [index] : []));
  for (const index of ready) {
    const pause = rest?.due();
    if (pause) await pause;
    for (const next of followers[index] as number[]) {
      waiting[next] = (waiting[next] as number) - 1;
      if (waiting[next] === 0) ready.push(next);
    }
  }
  if (ready.length < nodes.length) {
    const stuck = nodes.find((_, index) => waiting[index] !== 0) as OnnxNode;
    throw new Refused("model-graph-invalid", `The node ${quoted(stuck.name)} (${quoted(stuck.opType)}) needs what is made from it.`);
  }
  return outer;
}

class Expansion {
  readonly #functions = new Map<string, OnnxFunction>();
  /** What a function comes to once it is put in place; null while that is being counted. */
  readonly #counted = new Map<string, Expanse | null>();
  readonly #most: Expanse;

  constructor(functions: readonly OnnxFunction[], most: Expanse) {
    this.#most = most;
    for (const one of functions) {
      const key = keyOf(one.domain, one.name);
      if (this.#functions.has(key)) throw new Refused("model-graph-invalid", `The function ${quoted(one.name)} is there twice.`);
      this.#functions.set(key, one);
    }
  }

  count(of: readonly OnnxNode[], calls: number): Expanse {
    let [nodes, bytes] = [0, 0];
    const add = (more: Expanse) => {
      nodes += more.nodes;
      bytes += more.bytes;
    };
    for (const node of of) {
      add(this.#call(node, calls));
      for (const graph of subgraphs(node)) {
        if (calls > 0) bytes += bytesOf(graph.initializers);
        add(this.count(graph.nodes, calls));
      }
      if (nodes > this.#most.nodes) throw new Refused("model-too-complex", `The model's functions come to more than ${this.#most.nodes} nodes.`);
      if (bytes > this.#most.bytes) throw new Refused("model-too-complex", `The calls of the model's functions copy more than ${this.#most.bytes} bytes.`);
    }
    return { nodes, bytes };
  }

  #call(node: OnnxNode, calls: number): Expanse {
    const { domain, opType } = node;
    const key = keyOf(domain, opType);
    const called = this.#functions.get(key);
    if (!called) return { nodes: 1, bytes: calls > 0 ? constantBytes(node) : 0 }; // in the graph itself it is there once
    const known = this.#counted.get(key);
    if (known === null) throw new Refused("model-graph-invalid", `The function ${quoted(opType)} calls itself.`);
    if (known !== undefined) return known;
    if (calls >= CALLS) throw new Refused("model-too-complex", `Functions call functions more than ${CALLS} deep.`);
    this.#counted.set(key, null);
    const expanse = this.count(called.nodes, calls + 1);
    this.#counted.set(key, expanse);
    return expanse;
  }
}

const bytesOf = (tensors: readonly OnnxTensor[]): number => tensors.reduce((sum, tensor) => sum + (tensorBytes(tensor) ?? elementCount(tensor.dims)), 0);

const constantBytes = ({ attributes }: OnnxNode): number =>
  attributes.reduce((sum, { t, tensors = [], s, strings = [], floats = [], ints = [] }) => {
    const words = [...(s ? [s] : []), ...strings].reduce((length, word) => length + word.length, 0);
    return sum + bytesOf(t ? [t, ...tensors] : tensors) + words + 4 * floats.length + 8 * ints.length;
  }, 0);

/** The standard's own domain has two names. */
const keyOf = (domain: string, name: string): string => `${domain === "ai.onnx" ? "" : domain}\n${name}`;
