/** Audit events, cost and usage: what stands in D1 and what the API answers about it. */
import { z } from "zod";
import { amount, money, timestamp } from "./amounts.ts";

export const AUDIT_ACTIONS = [
  "TENANT_PROVISIONED",
  "TENANT_UPDATED",
  "TENANT_DISABLED",
  "TENANT_ENABLED",
  "ERASURE_STARTED",
  "POLICY_CHANGED",
  "KEY_CREATED",
  "KEY_ROTATED",
  "KEY_EXPIRED",
  "KEY_REVOKED",
  "SECRET_PUT",
  "SECRET_DELETED",
  "SECRETS_REWRAPPED",
  "MODEL_PUBLISHED",
  "MODEL_DELETED",
  "LEASE_GRANTED",
  "LEASE_DENIED",
  "LEASE_EXPIRED",
  "LEASE_REVOKED",
  "INFERENCE_EXECUTED",
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

export const auditEvent = z
  .object({
    id: z.string().meta({ example: "evt_acme_42" }),
    seq: amount,
    at: timestamp,
    action: z.enum(AUDIT_ACTIONS),
    actor: z.string().meta({ description: "operator, or the id of the key or lease." }),
    user: z.string().nullable(),
    model: z.string().nullable(),
    request_id: z.string().nullable(),
    details: z.record(z.string(), z.unknown()),
    prev_hash: z.string(),
    hash: z.string(),
  })
  .meta({ id: "AuditEvent" });
export type AuditEvent = z.infer<typeof auditEvent>;

export const billingLine = z.object({
  model: z.string(),
  input_tokens: amount,
  output_tokens: amount,
  unreported_tokens: amount.meta({ description: "Tokens charged because a lease expired or was revoked without a full report." }),
  total_tokens: amount,
  api_calls: amount,
  cost: money,
});

export const billing = z
  .object({
    period: z.string().meta({ example: "2026-11" }),
    total_cost: money,
    total_tokens: amount,
    api_calls: amount,
    lines: z.array(billingLine),
  })
  .meta({ id: "Billing" });
export type Billing = z.infer<typeof billing>;

export const usageRow = z.object({ key: z.string(), input_tokens: amount, output_tokens: amount, total_tokens: amount, api_calls: amount, cost: money }).meta({ id: "UsageRow" });
export type UsageRow = z.infer<typeof usageRow>;

/** `{data, next_cursor}` of any list. */
export const page = <T extends z.ZodType>(item: T) => z.object({ data: z.array(item), next_cursor: z.string().nullable() });
