/**
 * Whether an answer is what the contract says. Hand-written, because zod must not land in a page's bundle.
 *
 * - Checks what the client relies on, no more: the control plane may add fields.
 * - `KNOWN` is exhaustive over the contract's codes: a new code does not compile until it stands here.
 */
import type { LeaseGranted, LeaseState } from "../../schema/contract/leases.ts";
import type { Manifest } from "../../schema/contract/models.ts";
import type { Problem, ProblemCode } from "../../schema/contract/problems.ts";

type Check = (value: unknown) => boolean;

const string: Check = (value) => typeof value === "string";
const amount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const digest: Check = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
const time: Check = (value) => typeof value === "string" && !Number.isNaN(Date.parse(value));
const oneOf = (...values: readonly unknown[]): Check => (value) => values.includes(value);
const optional = (check: Check): Check => (value) => value === undefined || check(value);
const nullable = (check: Check): Check => (value) => value === null || check(value);
const list = (check: Check): Check => (value) => Array.isArray(value) && value.every(check);
const object = (fields: Readonly<Record<string, Check>>): Check => (value) =>
  typeof value === "object" && value !== null && Object.entries(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]));

const balance = object({ limit: nullable(amount), held: amount, posted: amount, remaining: nullable(amount), reset: nullable(time) });
const quota = object({
  daily_token_limit: balance,
  monthly_token_limit: balance,
  tokens_per_minute: balance,
  requests_per_minute: balance,
  concurrent_leases: balance,
  per_user_daily_tokens: optional(balance),
  monthly_spend_limit: balance,
});

const leaseGranted = object({
  lease_id: string,
  lease: string,
  expires_at: time,
  hold: amount,
  calls: amount,
  model: object({ id: string, revision: string, manifest_url: string, manifest_sha256: digest, next: optional(object({ revision: string, manifest_sha256: digest })) }),
  content_key: (value) => typeof value === "string" && /^[\w-]{43}$/.test(value),
  quota,
});

const leaseState = object({ lease_id: string, state: oneOf("active", "settled", "expired", "revoked"), used: amount, remaining: amount });

const requirements = object({ backend: optional(oneOf("webgpu", "wasm")), features: optional(list(string)), memory_bytes: optional(amount) });
const file = object({ path: string, size: amount, sha256: optional(digest), chunks: list(object({ sha256: digest, size: amount })) });
const manifest = object({
  schema: oneOf(1),
  tenant: string,
  model: string,
  revision: string,
  task: string,
  usage: object({ measure: oneOf("text-tokens", "image-tokens", "per-run"), tokens: optional(amount) }),
  variants: list(object({ id: string, requires: requirements, files: list(file) })),
});

const KNOWN: Record<ProblemCode, true> = {
  "invalid-request": true,
  unauthorized: true,
  forbidden: true,
  "origin-not-allowed": true,
  "user-not-verified": true,
  "not-found": true,
  "method-not-allowed": true,
  conflict: true,
  "unsupported-media-type": true,
  "idempotency-key-reused": true,
  "tenant-disabled": true,
  "model-not-available": true,
  "daily-quota-exceeded": true,
  "monthly-quota-exceeded": true,
  "tokens-per-minute-exceeded": true,
  "requests-per-minute-exceeded": true,
  "concurrent-leases-exceeded": true,
  "user-quota-exceeded": true,
  "key-quota-exceeded": true,
  "key-monthly-quota-exceeded": true,
  "key-tokens-per-minute-exceeded": true,
  "key-requests-per-minute-exceeded": true,
  "key-concurrent-leases-exceeded": true,
  "spend-limit-exceeded": true,
  "egress-quota-exceeded": true,
  "storage-quota-exceeded": true,
  "model-quota-exceeded": true,
  "too-many-revisions": true,
  "lease-expired": true,
  "lease-settled": true,
  "lease-revoked": true,
  "usage-exceeds-hold": true,
  "digest-mismatch": true,
  "revision-incomplete": true,
  "revision-too-large": true,
  "base-not-granted": true,
  "model-unreadable": true,
  "model-too-complex": true,
  "model-graph-invalid": true,
  "model-external-path": true,
  "model-external-range": true,
  "model-dims-invalid": true,
  "model-size-mismatch": true,
  "model-control-flow": true,
  "precondition-failed": true,
  "payload-too-large": true,
  "range-not-satisfiable": true,
  "invalid-dpop-proof": true,
  "dpop-nonce-required": true,
  "isolation-not-bound": true,
  unavailable: true,
};

const problem = object({
  code: (value) => typeof value === "string" && Object.hasOwn(KNOWN, value),
  detail: string,
  request_id: optional(string),
  limit: optional(amount),
  remaining: optional(amount),
  resets_at: optional(time),
});

export const isLeaseGranted = (value: unknown): value is LeaseGranted => leaseGranted(value);
export const isLeaseState = (value: unknown): value is LeaseState => leaseState(value);
export const isManifest = (value: unknown): value is Manifest => manifest(value);
export const isProblem = (value: unknown): value is Problem => problem(value);
