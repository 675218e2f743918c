/**
 * Threads that do the same list of work in step, on one shared memory.
 *
 * - Thread 0 is the worker that has the model: `start` sends so many of the others off as the run is to have, and these
 *   `meet` between phases. The rest sleep on.
 * - Who waits looks a while, then sleeps: an idle crew takes no time of any core.
 * - A thread that failed, or says nothing for `PATIENCE_MS`, is an error of whoever waits for it, and the crew's end:
 *   each later run fails too, rather than mixing what is left of two.
 */
import { MOST_THREADS } from "../../backends/choose.ts";

/** One thread's place among the others. */
export interface Crew {
  readonly thread: number;
  readonly threads: number;
  /** Returns when all have come here. */
  meet(): void;
  /** The next part of a work that nobody has; each once in a run. */
  claim(work: number): number;
}

/** Who is alone asks nobody. */
export const ALONE: Crew = { thread: 0, threads: 1, meet: () => undefined, claim: () => 0 };

/** Words at the beginning of the memory. */
export const CELLS = { threads: 0, arrived: 1, round: 2, sleepers: 3, failed: 4 } as const;
/** Of each thread one that it waits at for the next run. */
const GO = 8;
export const CELL_COUNT = GO + MOST_THREADS;

/** Looks before it sleeps: some 20 microseconds, about what being woken takes. */
const LOOKS = 2000;
const PATIENCE_MS = 30_000;

/** What the cell holds, where that comes to be something else than `known` soon. */
function seen(cells: Int32Array, cell: number, known: number): number | null {
  for (let look = 0; look < LOOKS; look++) {
    const now = Atomics.load(cells, cell);
    if (now !== known) return now;
  }
  return null;
}

/** Waits until the cell holds something else than `known`. */
function changed(cells: Int32Array, cell: number, known: number, patienceMs: number): void {
  if (seen(cells, cell, known) !== null) return;
  Atomics.add(cells, CELLS.sleepers, 1);
  try {
    while (Atomics.load(cells, cell) === known) {
      if (Atomics.load(cells, CELLS.failed) !== 0) throw new Error("another thread has failed");
      if (Atomics.wait(cells, cell, known, patienceMs) === "timed-out") {
        Atomics.store(cells, CELLS.failed, 1); // who comes late must not be taken for one of the next run
        throw new Error("another thread doesn't answer");
      }
    }
  } finally {
    Atomics.sub(cells, CELLS.sleepers, 1);
  }
}

function change(cells: Int32Array, cell: number): void {
  Atomics.add(cells, cell, 1);
  if (Atomics.load(cells, CELLS.sleepers) > 0) Atomics.notify(cells, cell);
}

/** Where the words for claims lie: one for each work. */
export interface ClaimPlaces {
  readonly claimsAt: number;
  readonly end: number;
}

export class SharedCrew implements Crew {
  readonly thread: number;
  #threads: number;
  readonly #cells: Int32Array;
  readonly #claims: Int32Array;
  readonly #patienceMs: number;
  #went = 0;

  constructor(buffer: ArrayBufferLike, { claimsAt, end }: ClaimPlaces, thread: number, threads: number, patienceMs = PATIENCE_MS) {
    this.#cells = new Int32Array(buffer, 0, CELL_COUNT);
    this.#claims = new Int32Array(buffer, claimsAt, (end - claimsAt) / 4);
    this.thread = thread;
    this.#threads = threads;
    this.#patienceMs = patienceMs;
  }

  /** Of the run at hand. */
  get threads(): number {
    return this.#threads;
  }

  meet(): void {
    const cells = this.#cells;
    const round = Atomics.load(cells, CELLS.round);
    if (Atomics.add(cells, CELLS.arrived, 1) + 1 === this.threads) {
      Atomics.store(cells, CELLS.arrived, 0);
      change(cells, CELLS.round);
    } else changed(cells, CELLS.round, round, this.#patienceMs);
    if (Atomics.load(cells, CELLS.failed) !== 0) throw new Error("another thread has failed");
  }

  claim(work: number): number {
    return Atomics.add(this.#claims, work, 1);
  }

  /** Of thread 0: others go, so that there are `threads` with it. */
  start(threads: number): void {
    this.#claims.fill(0);
    this.#threads = threads;
    Atomics.store(this.#cells, CELLS.threads, threads);
    for (let thread = 1; thread < threads; thread++) {
      Atomics.add(this.#cells, GO + thread, 1);
      Atomics.notify(this.#cells, GO + thread);
    }
  }

  /** Of the others: returns when this one is to go. */
  waitForStart(): void {
    const [cells, cell] = [this.#cells, GO + this.thread];
    let now = seen(cells, cell, this.#went);
    while (now === null) {
      Atomics.wait(cells, cell, this.#went);
      const woken = Atomics.load(cells, cell);
      if (woken !== this.#went) now = woken;
    }
    this.#went = now;
    this.#threads = Atomics.load(cells, CELLS.threads);
  }

  fail(): void {
    Atomics.store(this.#cells, CELLS.failed, 1);
    Atomics.add(this.#cells, CELLS.round, 1);
    Atomics.notify(this.#cells, CELLS.round);
  }
}
