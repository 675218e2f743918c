/**
 * Work that is not to be cut off in its middle, for a caller who may leave: whoever leaves gets `aborted` at once; the
 * work goes on to its end, and what comes of it is undone.
 */
import { LeaseholdError } from "../errors.ts";

/** `undo` gets what nobody waits for any more. Work that fails then has left nothing to undo. */
export function unlessStopped<T>(begin: () => Promise<T>, signal: AbortSignal | undefined, undo: (late: T) => Promise<void>): Promise<T> {
  if (!signal) return begin();
  return new Promise((resolve, reject) => {
    let hasLeft = false;
    const leave = () => {
      hasLeft = true;
      reject(new LeaseholdError("aborted", "Stopped.", { cause: signal.reason }));
    };
    if (signal.aborted) return leave();
    signal.addEventListener("abort", leave, { once: true });
    begin().then(
      (made) => {
        signal.removeEventListener("abort", leave);
        if (hasLeft) void undo(made);
        else resolve(made);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", leave);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
