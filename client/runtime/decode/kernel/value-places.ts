/**
 * Where the values of a decoder lie while its phases run. Pure.
 *
 * - Threads are in the same phase or, where they need not wait, up to `AHEAD` phases apart: so long after the last that
 *   takes it a value keeps its place.
 * - There is room for as many rows as a run has, and for one of each thread.
 */
import { usesOf, type Phases } from "./phases.ts";

export interface ValuePlaces {
  /** From the beginning of the region. */
  readonly places: ReadonlyMap<string, number>;
  readonly bytes: number;
}

/** Of a single row, phases of rows and of stores may follow one another without waiting. */
const AHEAD = 2;
const ALIGNMENT = 64;
export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** `rows`: the most that a run has. */
export function placeValues({ phases, values, logits }: Phases, rows: number, threads: number): ValuePlaces {
  const [first, last] = lives(phases);
  last.set(logits, phases.length); // read after the run
  const places = new Map<string, number>();
  let inUse: { readonly at: number; readonly bytes: number; readonly until: number }[] = [];
  let end = 0;
  for (const [name, from] of [...first].sort(([, a], [, b]) => a - b)) {
    const value = values.get(name);
    if (!value) throw new Error(`the phases have no value ${name}`);
    const bytes = aligned(value.bytes * (value.isLast ? threads : Math.max(rows, threads)));
    inUse = inUse.filter(({ until }) => until + AHEAD >= from).sort((a, b) => a.at - b.at); // values come in the order in which they are made
    let at = 0;
    for (const other of inUse) {
      if (other.at - at >= bytes) break;
      at = Math.max(at, other.at + other.bytes);
    }
    places.set(name, at);
    inUse.push({ at, bytes, until: last.get(name) ?? from });
    end = Math.max(end, at + bytes);
  }
  return { places, bytes: end };
}

/** The phase that makes each value, and the last that takes it. */
function lives(phases: Phases["phases"]): [first: Map<string, number>, last: Map<string, number>] {
  const [first, last] = [new Map<string, number>(), new Map<string, number>()];
  phases.forEach(({ jobs }, index) => {
    for (const job of jobs) {
      const { takes, makes } = usesOf(job);
      for (const name of makes) first.set(name, index);
      for (const name of [...takes, ...makes]) last.set(name, index);
    }
  });
  return [first, last];
}
