/** Errors on their way from the worker to the page: all that they say, but for their cause, which may not travel. Pure. */
import { LeaseholdError } from "../errors.ts";
import { KernelFault } from "./decode/kernel-fault.ts";
import type { Fault } from "./protocol.ts";
import { PartFault } from "./tasks/part-fault.ts";

export function faultOf(error: LeaseholdError): Fault {
  const { code, message, limit, remaining, resetsAt, retryAfterSeconds, requestId } = error;
  const of = error instanceof KernelFault ? "kernels" : error instanceof PartFault ? "part" : null;
  return { code, message, details: { limit, remaining, resetsAt, retryAfterSeconds, requestId }, ...(of && { of }) };
}

export function errorOf({ code, message, details, of }: Fault): LeaseholdError {
  if (of === "kernels") return new KernelFault(message);
  return of === "part" ? new PartFault(message) : new LeaseholdError(code, message, details);
}
