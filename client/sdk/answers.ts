/**
 * From an HTTP answer to a value or a `LeaseholdError`. Pure but for reading the body.
 *
 * - A problem document gives its own code, limits and reset time, with `Retry-After` in seconds.
 * - A 502, 503 or 504 that is no problem document (a proxy's page) is `unavailable`.
 * - Anything else that is not the contract is `bad-response`, a 200 included.
 */
import { LeaseholdError } from "../errors.ts";
import { isProblem } from "./shapes.ts";

export async function readJson<T>(response: Response, isExpected: (value: unknown) => value is T): Promise<T> {
  const value = await jsonOf(response);
  if (response.ok && isExpected(value)) return value;
  throw response.ok ? badResponse(response) : errorOf(response, value);
}

/** The error that an unsuccessful answer states. */
export async function readError(response: Response): Promise<LeaseholdError> {
  return errorOf(response, await jsonOf(response));
}

export function badResponse(response: Response): LeaseholdError {
  return new LeaseholdError("bad-response", `The service gave an unexpected answer (HTTP ${response.status}).`, {
    requestId: response.headers.get("X-Request-Id") ?? undefined,
  });
}

/** `Retry-After` in whole seconds from now: a number, or an HTTP date. */
export function retryAfterSeconds(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - now) / 1000));
}

async function jsonOf(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // not JSON: the callers' checks refuse it
  }
}

function errorOf(response: Response, value: unknown): LeaseholdError {
  const retryAfter = retryAfterSeconds(response.headers.get("Retry-After"), Date.now());
  if (isProblem(value)) return LeaseholdError.fromProblem(value, retryAfter);
  if (response.status < 502 || response.status > 504) return badResponse(response);
  return new LeaseholdError("unavailable", "The service is not available just now. Try again in a moment.", { retryAfterSeconds: retryAfter });
}
