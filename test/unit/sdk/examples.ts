/** Answers as the contract has them, checked by its own schemas, so that a changed contract fails here first. */
import { type LeaseGranted, type LeaseState, leaseGranted, leaseState } from "../../../schema/contract/leases.ts";
import { Prover } from "../../../client/sdk/prover.ts";
import { type Manifest, manifest } from "../../../schema/contract/models.ts";
import type { Balance } from "../../../schema/contract/policy.ts";
import { PROBLEMS, type Problem, type ProblemCode, problem } from "../../../schema/contract/problems.ts";

const none: Balance = { limit: null, held: 0, posted: 0, remaining: null, reset: null };

export const daily = (remaining: number, limit = 1000): Balance => ({ limit, held: limit - remaining, posted: 0, remaining, reset: "2026-11-23T00:00:00Z" });

export function granted(changes: { hold?: number; calls?: number; lease?: string; digest?: string; manifestUrl?: string; remaining?: number } = {}): LeaseGranted {
  const { hold = 200, calls = 1, lease = "token", digest = "a".repeat(64), manifestUrl = "/v1/models/ocr/manifest", remaining = 800 } = changes;
  return leaseGranted.parse({
    lease_id: `ls_acme_${"0".repeat(24)}`,
    lease,
    expires_at: "2026-11-22T10:05:00Z",
    reports_until: "2026-11-22T10:05:00Z",
    hold,
    calls,
    model: { id: "ocr", revision: `rev_${"0".repeat(24)}`, manifest_url: manifestUrl, manifest_sha256: digest },
    content_key: "k".repeat(43),
    quota: {
      daily_token_limit: daily(remaining),
      monthly_token_limit: none,
      tokens_per_minute: none,
      requests_per_minute: none,
      concurrent_leases: none,
      monthly_spend_limit: none,
      model_quota: none,
      storage_bytes: none,
      egress_bytes_daily: none,
    },
  });
}

/** A token that says when it was issued, and no more. */
export const issuedAt = (ms: number): string => `e30.${btoa(JSON.stringify({ iat: Math.floor(ms / 1000) }))}.x`;

export const settled = (used: number, hold = 200): LeaseState =>
  leaseState.parse({
    lease_id: `ls_acme_${"0".repeat(24)}`,
    state: "settled",
    model: "ocr",
    revision: `rev_${"0".repeat(24)}`,
    user: null,
    hold,
    used,
    remaining: 0,
    cost: { currency: "USD", nanos: 0 },
    reports: 1,
    offline: false,
    created_at: "2026-11-22T10:00:00Z",
    expires_at: "2026-11-22T10:05:00Z",
    reports_until: "2026-11-22T10:05:00Z",
    resolved_at: "2026-11-22T10:01:00Z",
  });

export const refusal = (code: ProblemCode, more: Partial<Problem> = {}): Problem =>
  problem.parse({ type: `https://leasehold.dev/problems/${code}`, title: PROBLEMS[code].title, status: PROBLEMS[code].status, code, detail: "What to do.", request_id: "req_1", ...more });

export const published = (): Manifest =>
  manifest.parse({
    schema: 1,
    tenant: "acme",
    model: "ocr",
    revision: `rev_${"0".repeat(24)}`,
    task: "ocr",
    usage: { measure: "image-tokens" },
    variants: [{ id: "all", requires: {}, files: [{ path: "det.onnx", size: 5, sha256: "b".repeat(64), chunks: [{ sha256: "b".repeat(64), size: 5 }] }] }],
  });

/** Presents leases as bearers. */
export const unbound = () => new Prover(Promise.resolve({ key: null, reason: "for these tests" }));
