/**
 * Tries again after a pause where the error says that this may help.
 *
 * - A stated `Retry-After` of at most `PATIENCE_S` seconds replaces a shorter pause; a longer one ends the tries.
 * - The signal ends the pauses as well as the work: `aborted`.
 */
import { LeaseholdError } from "../errors.ts";

const PATIENCE_S = 10;

export interface RetryRules {
  /** One pause a retry. */
  readonly delaysMs: readonly number[];
  readonly isWorthIt: (error: LeaseholdError) => boolean;
  readonly signal?: AbortSignal;
}

export const isTransient = ({ code }: LeaseholdError) => code === "network-failed" || code === "unavailable";

export async function withRetries<T>(work: () => Promise<T>, { delaysMs, isWorthIt, signal }: RetryRules): Promise<T> {
  for (const delay of delaysMs) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof LeaseholdError) || !isWorthIt(error) || (error.retryAfterSeconds ?? 0) > PATIENCE_S) throw error;
      await pause(Math.max(delay, (error.retryAfterSeconds ?? 0) * 1000), signal);
    }
  }
  return work();
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new LeaseholdError("aborted", "Stopped.", { cause: signal?.reason }));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
