/**
 * The one error type of everything that runs in the browser.
 *
 * - `code` is stable: a problem code of the control plane, or one of `CLIENT_CODES`.
 * - `message` is for people: it says what happened and what to do; never a secret, a token or a prompt.
 * - The three quota fields are present where the control plane stated them.
 */
import type { Problem, ProblemCode } from "../schema/contract/problems.ts";

export const CLIENT_CODES = [
  "aborted", // the caller's AbortSignal fired, or the page went away
  "network-failed", // no answer from the control plane
  "bad-response", // an answer that is not what the contract says
  "weights-corrupt", // bytes that miss their SHA-256, also after fetching them again
  "model-invalid", // a file that the task needs is missing or can't be read
  "variant-unsupported", // no variant of the model fits this device
  "backend-unavailable", // neither WebGPU nor WASM could run the model
  "storage-refused", // this browser keeps nothing for the page, and what was asked for needs that
  "pool-full", // pinned models leave no room for this one
  "runtime-crashed", // the worker died or stopped answering
  "image-unreadable", // not an image that this browser can decode
  "image-too-large", // more pixels than the task takes
  "input-invalid", // not what the model takes: a missing tensor, a wrong shape
  "context-length-exceeded", // more tokens than the model, or this device's memory, can hold
  "schema-unsupported", // a JSON schema with something that generation can't be held to
  "tools-unsupported", // the model was not taught to call tools, or in a way that is not known here
  "no-text-found", // the widget's: someone waits for the text of a picture that has none
] as const;
export type ClientCode = (typeof CLIENT_CODES)[number];
export type ErrorCode = ProblemCode | ClientCode;

export interface ErrorDetails {
  readonly limit?: number;
  readonly remaining?: number;
  readonly resetsAt?: string;
  readonly retryAfterSeconds?: number;
  readonly requestId?: string;
  readonly cause?: unknown;
}

export class LeaseholdError extends Error {
  override readonly name = "LeaseholdError";
  readonly code: ErrorCode;
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
  readonly resetsAt: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly requestId: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.limit = details.limit;
    this.remaining = details.remaining;
    this.resetsAt = details.resetsAt;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.requestId = details.requestId;
  }

  static fromProblem(problem: Problem, retryAfterSeconds?: number): LeaseholdError {
    return new LeaseholdError(problem.code, problem.detail, {
      limit: problem.limit,
      remaining: problem.remaining,
      resetsAt: problem.resets_at,
      requestId: problem.request_id,
      retryAfterSeconds,
    });
  }
}
