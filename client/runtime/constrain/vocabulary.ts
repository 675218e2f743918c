/**
 * A vocabulary as a tree of bytes, laid out flat in the order of a walk: which tokens fit next is found in one pass
 * that leaves out every branch whose first byte doesn't fit.
 *
 * - Tokens without text are never among the fitting ones.
 */
import type { TokenMask } from "../sampling/sampler.ts";
import { type Automaton, DEAD, type State } from "./automaton.ts";

interface Entry {
  readonly token: number;
  readonly bytes: Uint8Array;
}

export class Vocabulary {
  readonly size: number;
  readonly #bytes: readonly (Uint8Array | null)[];
  // One element a node, in walking order: its byte, its depth from 0, and where its branch ends.
  readonly #byte: Uint8Array;
  readonly #depth: Uint16Array;
  readonly #end: Uint32Array;
  /** The node's own tokens: from where in `#tokens`, and how many. */
  readonly #first: Uint32Array;
  readonly #own: Uint16Array;
  readonly #tokens: Uint32Array;
  readonly #maxDepth: number;

  constructor(bytes: readonly (Uint8Array | null)[], size: number = bytes.length) {
    this.size = size;
    this.#bytes = bytes;
    const entries: Entry[] = bytes.flatMap((spelling, token) => (spelling && spelling.length > 0 && token < size ? [{ token, bytes: spelling }] : []));
    entries.sort(byBytes);
    const most = entries.reduce((sum, entry) => sum + entry.bytes.length, 0);
    const byte = new Uint8Array(most);
    const depth = new Uint16Array(most);
    const end = new Uint32Array(most);
    const first = new Uint32Array(most);
    const own = new Uint16Array(most);
    const tokens = new Uint32Array(entries.length);
    const path: number[] = []; // the nodes from the root to the latest
    let count = 0;
    let before = new Uint8Array(0);
    entries.forEach(({ token, bytes: spelling }, at) => {
      let shared = 0;
      while (shared < before.length && shared < spelling.length && before[shared] === spelling[shared]) shared++;
      while (path.length > shared) end[path.pop() as number] = count;
      for (let level = shared; level < spelling.length; level++) {
        byte[count] = spelling[level] as number;
        depth[count] = level;
        first[count] = at;
        path.push(count++);
      }
      tokens[at] = token;
      const leaf = path.at(-1) as number;
      own[leaf] = (own[leaf] as number) + 1;
      before = spelling as Uint8Array<ArrayBuffer>;
    });
    while (path.length > 0) end[path.pop() as number] = count;
    this.#byte = byte.slice(0, count);
    this.#depth = depth.slice(0, count);
    this.#end = end.slice(0, count);
    this.#first = first.slice(0, count);
    this.#own = own.slice(0, count);
    this.#tokens = tokens;
    this.#maxDepth = this.#depth.reduce((max, level) => Math.max(max, level), 0);
  }

  spelling(token: number): Uint8Array | null {
    return this.#bytes[token] ?? null;
  }

  /** Marks in `mask` every token that leads somewhere from the state; gives how many. */
  fitting(automaton: Automaton, state: State, mask: TokenMask): number {
    const states = Array.from({ length: this.#maxDepth + 2 }, () => state);
    let found = 0;
    for (let node = 0; node < this.#byte.length; ) {
      const level = this.#depth[node] as number;
      const next = automaton.step(states[level] as State, this.#byte[node] as number);
      if (next === DEAD) {
        node = this.#end[node] as number;
        continue;
      }
      states[level + 1] = next;
      const first = this.#first[node] as number;
      const last = first + (this.#own[node] as number);
      for (let at = first; at < last; at++) {
        const token = this.#tokens[at] as number;
        mask[token >>> 5] = (mask[token >>> 5] as number) | (1 << (token & 31));
        found++;
      }
      node++;
    }
    return found;
  }
}

function byBytes(a: Entry, b: Entry): number {
  const length = Math.min(a.bytes.length, b.bytes.length);
  for (let at = 0; at < length; at++) {
    const difference = (a.bytes[at] as number) - (b.bytes[at] as number);
    if (difference !== 0) return difference;
  }
  return a.bytes.length - b.bytes.length || a.token - b.token;
}
