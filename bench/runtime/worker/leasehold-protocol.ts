/** What `leasehold.worker.ts` tells of itself, on a channel of the name that the worker has. */
export interface TimedRun {
  /** Tokens at once. */
  readonly rows: number;
  /** On the worker's own clock. */
  readonly began: number;
  readonly ms: number;
}

/** The runs since it was asked last. */
export interface RunsOf {
  readonly threads: number;
  readonly memoryBytes: number;
  readonly runs: readonly TimedRun[];
}

export const ASK = "ask";
