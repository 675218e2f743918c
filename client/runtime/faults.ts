/** Errors on their way from the worker to the page: all that they say, but for their cause, which may not travel. Pure. */
import { LeaseholdError } from "../errors.ts";
import type { Fault } from "./protocol.ts";

export function faultOf({ code, message, limit, remaining, resetsAt, retryAfterSeconds, requestId }: LeaseholdError): Fault {
  return { code, message, details: { limit, remaining, resetsAt, retryAfterSeconds, requestId } };
}

export const errorOf = ({ code, message, details }: Fault): LeaseholdError => new LeaseholdError(code, message, details);
