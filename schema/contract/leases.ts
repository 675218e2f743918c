/** Leases: the ask, the grant, the state, the usage report, and the claims of the signed token. */
import { z } from "zod";
import { amount, money, timestamp, tokens } from "./amounts.ts";
import { thumbprint } from "./dpop.ts";
import { leaseId, modelId, requestId, revisionId, sha256, tenantId, userId } from "./ids.ts";
import { backend } from "./models.ts";
import { quota } from "./policy.ts";
import { userSignature } from "./tenants.ts";

export const MAX_TTL_SECONDS = 300;
export const MIN_TTL_SECONDS = 1;
/** An offline lease may live for a day, and be reported for a day after that. */
export const MAX_OFFLINE_TTL_SECONDS = 86_400;
export const OFFLINE_GRACE_SECONDS = 86_400;

/** Calls that one lease may hold. */
export const MAX_CALLS = 10_000;

/** The caller's own labels: at most 16, short, plain text. */
export const metadata = z
  .record(z.string().regex(/^[A-Za-z0-9_.-]{1,40}$/), z.string().max(200))
  .refine((entries) => Object.keys(entries).length <= 16, "at most 16 entries")
  .meta({ id: "Metadata", example: { region: "eu-west", tier: "pro" } });
export type Metadata = z.infer<typeof metadata>;

export const leaseCreate = z
  .strictObject({
    model: modelId,
    tokens: tokens.optional().meta({ description: "LLM tokens to hold; none for a download." }),
    calls: z.int().min(1).max(MAX_CALLS).optional().meta({ description: "Calls to hold the price of, where several share the lease; 1 where it isn't given." }),
    purpose: z.enum(["inference", "download"]).default("inference"),
    user: userId.optional(),
    user_signature: userSignature.optional(),
    request_id: requestId.optional(),
    metadata: metadata.optional(),
    revision: revisionId.optional().meta({ description: "The revision that the caller has ready. It is granted while it is in force for this user, or was replaced by another lately; else the one in force is." }),
    dpop_jkt: thumbprint.optional().meta({ description: "Binds the lease to a key of the caller (DPoP, RFC 9449): each request with it then proves that key." }),
    offline: z.boolean().default(false).meta({ description: "A lease to run on without a network, where the policy allows it: it lives longer, and its usage may be reported later." }),
    ttl_s: z
      .int()
      .min(MIN_TTL_SECONDS)
      .max(MAX_OFFLINE_TTL_SECONDS)
      .optional()
      .meta({ description: `Seconds that the lease lives: at most ${MAX_TTL_SECONDS}, offline at most ${MAX_OFFLINE_TTL_SECONDS}; that is also the default.` }),
  })
  .superRefine((ask, ctx) => {
    if (ask.user_signature !== undefined && ask.user === undefined) ctx.addIssue({ code: "custom", path: ["user"], message: "name the user that was signed" });
    if (ask.purpose === "inference" && ask.tokens === undefined) ctx.addIssue({ code: "custom", path: ["tokens"], message: "state the LLM tokens to hold" });
    if (!ask.offline && ask.ttl_s !== undefined && ask.ttl_s > MAX_TTL_SECONDS) ctx.addIssue({ code: "custom", path: ["ttl_s"], message: `at most ${MAX_TTL_SECONDS} for a lease that is not offline` });
    if (ask.offline && ask.purpose === "download") ctx.addIssue({ code: "custom", path: ["offline"], message: "only an inference can be offline" });
    if (ask.purpose === "download" && ask.calls !== undefined) ctx.addIssue({ code: "custom", path: ["calls"], message: "a download makes no calls" });
    if (ask.purpose === "download" && ask.tokens !== undefined) ctx.addIssue({ code: "custom", path: ["tokens"], message: "a download holds no tokens" });
  })
  .meta({ id: "LeaseCreate" });
export type LeaseCreate = z.infer<typeof leaseCreate>;

export const nextRevision = z
  .object({
    revision: revisionId,
    manifest_sha256: sha256,
    until: timestamp.nullable().meta({ description: "Until when the revision of this lease is still granted to who has it; null: no end is set." }),
  })
  .meta({ id: "NextRevision", description: "The revision that is in force for this user, where the lease is for the one that the caller has ready: fetch it (a lease for a download names it), then go on with it." });
export type NextRevision = z.infer<typeof nextRevision>;

export const LEASE_STATES = ["active", "settled", "expired", "revoked"] as const;

export const leaseGranted = z
  .object({
    lease_id: leaseId,
    lease: z.string().meta({ description: "The signed token (JWT, EdDSA, typ lease+jwt)." }),
    expires_at: timestamp,
    reports_until: timestamp.meta({ description: "Until when usage may be reported: `expires_at`, and a day more for an offline lease." }),
    hold: amount.meta({ description: "LLM tokens held." }),
    calls: amount.meta({ description: "Calls held." }),
    model: z.object({ id: modelId, revision: revisionId, manifest_url: z.string(), manifest_sha256: sha256, next: nextRevision.optional() }),
    content_key: z.string().meta({ description: "Base64url of the 32-byte key under which this tenant's weights are cached in the browser." }),
    quota,
  })
  .meta({ id: "LeaseGranted" });
export type LeaseGranted = z.infer<typeof leaseGranted>;

export const leaseState = z
  .object({
    lease_id: leaseId,
    state: z.enum(LEASE_STATES),
    model: modelId,
    revision: revisionId,
    user: userId.nullable(),
    hold: amount.meta({ description: "LLM tokens held at grant." }),
    used: amount.meta({ description: "LLM tokens charged so far; once resolved, for good." }),
    remaining: amount.meta({ description: "What further reports may still use; 0 once resolved." }),
    cost: money,
    reports: amount.meta({ description: "Usage reports taken." }),
    offline: z.boolean(),
    created_at: timestamp,
    expires_at: timestamp,
    reports_until: timestamp.meta({ description: "The lease stays active until then: what was not reported is charged after it." }),
    resolved_at: timestamp.nullable(),
  })
  .meta({ id: "LeaseState" });
export type LeaseState = z.infer<typeof leaseState>;

export const usageReport = z
  .strictObject({
    seq: z.int().min(0).max(1_000_000).meta({ description: "Number of the report on this lease; the same number again gives the same answer." }),
    request_id: requestId,
    input_tokens: amount,
    output_tokens: amount,
    calls: z.int().min(0).max(MAX_CALLS).optional().meta({ description: "Calls that this report tells of. Without it the lease's first report of a run is one, and later ones are more of the same call." }),
    outcome: z.enum(["ok", "error", "aborted"]),
    error_code: z.string().regex(/^[a-z0-9-]{1,64}$/).optional(),
    latency_ms: amount.max(86_400_000),
    ttft_ms: amount.max(86_400_000).optional().meta({ description: "Time to first token." }),
    backend: z.enum([...backend.options, "cloud"]),
    cache: z.enum(["hit", "miss"]),
    final: z.boolean(),
  })
  .meta({ id: "UsageReport" });
export type UsageReport = z.infer<typeof usageReport>;

/**
 * The claims of a lease. `iss` is the deployment, `aud` always `leasehold`, `sub` the lease id; `mdg` pins the manifest's digest. `rpt`, of an
 * offline lease: until when it may still report, later than `exp`.
 */
export const leaseClaims = z.object({
  iss: z.string(),
  aud: z.string(),
  sub: leaseId,
  jti: z.string(),
  iat: z.int(),
  exp: z.int(),
  tenant: tenantId,
  model: modelId,
  revision: revisionId,
  mdg: sha256,
  purpose: z.enum(["inference", "download"]),
  hold: amount,
  rpt: z.int().optional(),
  cnf: z.object({ jkt: thumbprint }).optional(),
});
export type LeaseClaims = z.infer<typeof leaseClaims>;
