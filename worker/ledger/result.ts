/**
 * How every decision answers: a value, or a refusal that carries what its problem document needs.
 * Plain data, so that it crosses the RPC boundary of the tenant object unchanged.
 */
import type { Quota } from "../../schema/contract/policy.ts";
import type { ProblemCode } from "../../schema/contract/problems.ts";

export interface Refusal {
  readonly code: ProblemCode;
  /** What to do about it, for people; no secret, no stack. */
  readonly detail: string;
  readonly limit?: number;
  readonly remaining?: number;
  /** Milliseconds since the epoch; for codes that are retryable. */
  readonly resetsAt?: number;
  /** The limits as they stand, for the fields of an answer on the data plane. */
  readonly quota?: Quota;
  /** The Worker may repeat this refusal to the same credential until then, without asking again. Milliseconds since the epoch. */
  readonly holdUntil?: number;
  /** The nonce that the next DPoP proof should carry. */
  readonly dpopNonce?: string;
}

export interface Refused {
  readonly ok: false;
  readonly refusal: Refusal;
}

export type Result<T> = { readonly ok: true; readonly value: T } | Refused;

export const done = <T>(value: T): Result<T> => ({ ok: true, value });
export const refuse = (code: ProblemCode, detail: string, rest: Omit<Refusal, "code" | "detail"> = {}): Refused => ({
  ok: false,
  refusal: { code, detail, ...rest },
});
