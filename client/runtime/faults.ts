/** Errors on their way from the worker to the page: all that they say, but for their cause, which may not travel. Pure. */
import { LeaseholdError } from "../errors.ts";
import { KernelFault } from "./decode/kernel-fault.ts";
import type { Fault } from "./protocol.ts";

export function faultOf(error: LeaseholdError): Fault {
  const { code, message, limit, remaining, resetsAt, retryAfterSeconds, requestId } = error;
  return { code, message, details: { limit, remaining, resetsAt, retryAfterSeconds, requestId }, ...(error instanceof KernelFault && { isOfKernels: true }) };
}

export const errorOf = ({ code, message, details, isOfKernels }: Fault): LeaseholdError => (isOfKernels ? new KernelFault(message) : new LeaseholdError(code, message, details));
