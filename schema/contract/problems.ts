/**
 * Every way a request can fail: a closed union of codes and one exhaustive table that maps each to the wire (RFC 9457).
 *
 * - A new code does not compile until its row exists.
 * - `detail` says what to do; it never carries a secret, a token, a prompt or a stack.
 * - A row with `retry: true` always answers with `Retry-After`.
 */
import { z } from "zod";
import { timestamp } from "./amounts.ts";

export interface ProblemShape {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 415 | 416 | 422 | 429 | 503;
  readonly title: string;
  readonly retry?: true;
}

const shape = (status: ProblemShape["status"], title: string): ProblemShape => ({ status, title });
const retryable = (status: ProblemShape["status"], title: string): ProblemShape => ({ status, title, retry: true });

export const PROBLEMS = {
  "invalid-request": shape(400, "Invalid request"),
  unauthorized: shape(401, "Unauthorized"),
  forbidden: shape(403, "Forbidden"),
  "origin-not-allowed": shape(403, "Origin not allowed"),
  "user-not-verified": shape(403, "User not verified"),
  "not-found": shape(404, "Not found"),
  "method-not-allowed": shape(405, "Method not allowed"),
  conflict: shape(409, "Conflict"),
  "unsupported-media-type": shape(415, "Unsupported media type"),
  "idempotency-key-reused": shape(422, "Idempotency key reused"),
  "tenant-disabled": shape(403, "Tenant disabled"),
  "model-not-available": shape(404, "Model not available"),
  "daily-quota-exceeded": retryable(429, "Daily quota exceeded"),
  "monthly-quota-exceeded": retryable(429, "Monthly quota exceeded"),
  "tokens-per-minute-exceeded": retryable(429, "Tokens per minute exceeded"),
  "requests-per-minute-exceeded": retryable(429, "Requests per minute exceeded"),
  "concurrent-leases-exceeded": retryable(429, "Concurrent leases exceeded"),
  "user-quota-exceeded": retryable(429, "User quota exceeded"),
  "key-quota-exceeded": retryable(429, "Key quota exceeded"),
  "key-monthly-quota-exceeded": retryable(429, "Key monthly quota exceeded"),
  "key-tokens-per-minute-exceeded": retryable(429, "Key tokens per minute exceeded"),
  "key-requests-per-minute-exceeded": retryable(429, "Key requests per minute exceeded"),
  "key-concurrent-leases-exceeded": retryable(429, "Key concurrent leases exceeded"),
  "spend-limit-exceeded": retryable(429, "Spend limit exceeded"),
  "egress-quota-exceeded": retryable(429, "Egress quota exceeded"),
  "storage-quota-exceeded": shape(403, "Storage quota exceeded"),
  "model-quota-exceeded": shape(403, "Model quota exceeded"),
  "too-many-revisions": shape(403, "Too many revisions"),
  "lease-expired": shape(401, "Lease expired"),
  "lease-settled": shape(409, "Lease settled"),
  "lease-revoked": shape(403, "Lease revoked"),
  "usage-exceeds-hold": shape(409, "Usage exceeds hold"),
  "digest-mismatch": shape(422, "Digest mismatch"),
  "revision-incomplete": shape(409, "Revision incomplete"),
  "revision-too-large": shape(422, "Revision too large"),
  "base-not-granted": shape(409, "Base not granted"),
  "model-unreadable": shape(422, "Model unreadable"),
  "model-too-complex": shape(422, "Model too complex"),
  "model-graph-invalid": shape(422, "Model graph invalid"),
  "model-external-path": shape(422, "Model's external data outside of its files"),
  "model-external-range": shape(422, "Model's external data beyond their file"),
  "model-dims-invalid": shape(422, "Model's dims invalid"),
  "model-size-mismatch": shape(422, "Model's sizes do not match"),
  "model-control-flow": shape(422, "Model's control flow not allowed"),
  "precondition-failed": shape(412, "Precondition failed"),
  "payload-too-large": shape(413, "Payload too large"),
  "range-not-satisfiable": shape(416, "Range not satisfiable"),
  "invalid-dpop-proof": shape(401, "Invalid DPoP proof"),
  "dpop-nonce-required": shape(401, "DPoP nonce required"),
  "isolation-not-bound": shape(409, "Isolation not bound"),
  unavailable: retryable(503, "Unavailable"),
} as const satisfies Record<string, ProblemShape>;

export type ProblemCode = keyof typeof PROBLEMS;
export const PROBLEM_CODES = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]];

/** The body of every error answer, `application/problem+json`. */
export const problem = z
  .object({
    type: z.string().meta({ example: "https://leasehold.dev/problems/daily-quota-exceeded" }),
    title: z.string(),
    status: z.int(),
    code: z.enum(PROBLEM_CODES),
    detail: z.string(),
    request_id: z.string(),
    limit: z.int().optional().meta({ description: "429: the limit that refused." }),
    remaining: z.int().optional().meta({ description: "429: what is left of it." }),
    resets_at: timestamp.optional().meta({ description: "429: when the limit resets." }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: "400: one entry a fault, with the path of the field; the first 20." }),
  })
  .meta({ id: "Problem", description: "RFC 9457 problem document." });
export type Problem = z.infer<typeof problem>;
