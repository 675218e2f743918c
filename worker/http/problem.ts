/**
 * Refusals on the wire: RFC 9457 problem documents with the status and headers of `PROBLEMS`.
 * A `ProblemError` is how a handler ends with a refusal; anything else that is thrown is logged and answered `unavailable`.
 */
import type { Context } from "hono";
import { PROOF_ALGORITHMS } from "../../schema/contract/dpop.ts";
import { PROBLEMS, type Problem, type ProblemCode } from "../../schema/contract/problems.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import type { AppEnv } from "./app-env.ts";
import { limitsOf, refusedHeaders } from "./ratelimit.ts";
import type { Refusal, Result } from "../ledger/result.ts";

export class ProblemError extends Error {
  readonly refusal: Refusal;
  readonly errors: Problem["errors"];
  readonly headers: Readonly<Record<string, string>>;

  constructor(refusal: Refusal, more: { errors?: Problem["errors"]; headers?: Record<string, string> } = {}) {
    super(refusal.code);
    this.refusal = refusal;
    this.errors = more.errors;
    this.headers = more.headers ?? {};
  }
}

export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new ProblemError(result.refusal);
}

export function problem(code: ProblemCode, detail: string, more: ConstructorParameters<typeof ProblemError>[1] = {}): ProblemError {
  return new ProblemError({ code, detail }, more);
}

/** The `WWW-Authenticate` of a 401: RFC 6750 §3, RFC 9449 §7.1. `isAnswered`: the request brought a credential, which does not hold. */
function challengeOf(code: ProblemCode, isAnswered: boolean): string {
  if (code === "invalid-dpop-proof") return `DPoP error="invalid_dpop_proof", algs="${PROOF_ALGORITHMS.join(" ")}"`;
  if (code === "dpop-nonce-required") return `DPoP error="use_dpop_nonce", algs="${PROOF_ALGORITHMS.join(" ")}"`;
  return isAnswered ? 'Bearer realm="leasehold", error="invalid_token"' : 'Bearer realm="leasehold"';
}

const DEFAULT_RETRY_SECONDS = 2;

export function problemResponse(c: Context<AppEnv>, { refusal, errors, headers }: Pick<ProblemError, "refusal" | "errors" | "headers">): Response {
  const shape = PROBLEMS[refusal.code];
  const body: Problem = {
    type: `https://leasehold.dev/problems/${refusal.code}`,
    title: shape.title,
    status: shape.status,
    code: refusal.code,
    detail: refusal.detail,
    request_id: c.get("requestId"),
    limit: refusal.limit,
    remaining: refusal.remaining,
    resets_at: refusal.resetsAt === undefined ? undefined : toTimestamp(refusal.resetsAt),
    errors,
  };
  const all = new Headers(headers);
  all.set("content-type", "application/problem+json");
  all.set("cache-control", "no-store");
  if (shape.status === 401) all.set("www-authenticate", challengeOf(refusal.code, c.req.header("authorization") !== undefined));
  if (refusal.dpopNonce !== undefined) all.set("dpop-nonce", refusal.dpopNonce);
  if (refusal.quota !== undefined) {
    for (const [name, value] of Object.entries(limitsOf(c, refusal.quota))) all.set(name, value);
  }
  if ("retry" in shape) {
    const seconds = refusal.resetsAt === undefined ? DEFAULT_RETRY_SECONDS : Math.max(1, Math.ceil((refusal.resetsAt - Date.now()) / 1000));
    all.set("retry-after", String(seconds));
    if (refusal.limit !== undefined) {
      for (const [name, value] of Object.entries(refusedHeaders(refusal.code, refusal.limit, refusal.remaining ?? 0, seconds))) all.set(name, value);
    }
  }
  return new Response(c.req.method === "HEAD" ? null : JSON.stringify(body), { status: shape.status, headers: all });
}
