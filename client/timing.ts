/**
 * The steps of a start as User Timing measures: seen in a browser's own tools, and read by `bench:delivery -- --trace`.
 *
 * - For steps of a load only: entries stay for as long as the page, so nothing that every call does is timed.
 * - In a worker they are on the worker's own clock.
 */
export const TIMING_PREFIX = "leasehold: ";

export async function timed<T>(step: string, work: () => Promise<T>): Promise<T> {
  const end = timing(step);
  try {
    return await work();
  } finally {
    end();
  }
}

/** Begins a step; what it gives ends it. */
export function timing(step: string): () => void {
  const start = performance.now();
  return () => void performance.measure(TIMING_PREFIX + step, { start });
}
