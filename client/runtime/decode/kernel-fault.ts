/**
 * A model that kernels of our own don't compute as they should, or not at all. Its weights went to them, so it is started
 * anew, without them.
 */
import { LeaseholdError } from "../../errors.ts";

export class KernelFault extends LeaseholdError {
  constructor(message: string, cause?: unknown) {
    super("backend-unavailable", message, { cause });
  }
}
