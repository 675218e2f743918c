/** Whatever was thrown, as the one error type that leaves the SDK. */
import { LeaseholdError } from "../errors.ts";

export function asLeaseholdError(error: unknown, signal?: AbortSignal): LeaseholdError {
  if (error instanceof LeaseholdError) return error;
  const isStop = signal?.aborted || (error instanceof Error && error.name === "AbortError");
  if (isStop) return new LeaseholdError("aborted", "Stopped.", { cause: error });
  return new LeaseholdError("runtime-crashed", "Something went wrong while the model ran. Try again.", { cause: error });
}
