/** Waiting that an AbortSignal ends. */
import { LeaseholdError } from "../errors.ts";

/** The signal's reason where it is one of our errors, else `aborted`. */
export const abortedError = ({ reason }: { readonly reason?: unknown }): LeaseholdError =>
  reason instanceof LeaseholdError ? reason : new LeaseholdError("aborted", "The call was aborted.", { cause: reason });

/** The promise's outcome, or an error at once when the signal fires. The work itself goes on. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw abortedError(signal);
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(abortedError(signal));
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
