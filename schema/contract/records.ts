/** Audit events, cost and usage: what stands in D1 and what the API answers about it. */
import { z } from "zod";
import { amount, money, timestamp } from "./amounts.ts";
import { priceFloor } from "./prices.ts";

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
  "MODEL_IMPORT_STARTED",
  "MODEL_IMPORT_ENDED",
  "REVISION_COMMITTED",
  "MODEL_PUBLISHED",
  "MODEL_GRANTED",
  "MODEL_GRANT_REVOKED",
  "MODEL_ROLLED_OUT",
  "MODEL_ROLLED_BACK",
  "REVISION_DELETED",
  "MODEL_DELETED",
  "BLOBS_COLLECTED",
  "PRICES_SET",
  "USER_IDENTITY_ROTATED",
  "WEBHOOK_CREATED",
  "WEBHOOK_DELETED",
  "WEBHOOK_DISABLED",
  "WEBHOOK_REPLAYED",
  "RECORDS_RESENT",
  "QUOTA_ALERT",
  "CONSOLE_SIGNED_IN",
  "CONSOLE_SIGNED_OUT",
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

/** Why a chain does not hold. The first that is found along the chain is told. */
export const BREAK_REASONS = {
  "event-altered": "A column of the event is not what was hashed.",
  "event-missing": "An event is gone from between others.",
  "events-truncated": "The events from here on are gone.",
  "event-surplus": "There is an event that the tenant's ledger never wrote.",
  "link-broken": "The event does not follow the one before it: one of the two was written anew, or they changed places.",
  "head-mismatch": "The chain holds together but is not the one that the tenant's ledger wrote.",
  "signed-head-mismatch": "The chain holds together but is not the one whose head was signed.",
  "signed-head-invalid": "A signed head was altered.",
  "signed-head-missing": "A head that was signed is gone.",
  "signed-head-ahead": "A head was signed of an event that the tenant's ledger no longer knows: the ledger was set back.",
} as const satisfies Record<string, string>;
export type BreakReason = keyof typeof BREAK_REASONS;

/** In which ways what bills are made of can differ from what the ledger wrote. */
export const DISCREPANCIES = {
  "cost-missing": "An event cost something, and its cost record is gone.",
  "cost-altered": "A cost record is not the one that its event names.",
  "cost-surplus": "There is a cost record of no event that cost anything.",
  "day-missing": "The ledger's sum of a day, model and user is gone.",
  "day-altered": "A sum of a day, model and user is not the ledger's.",
  "day-surplus": "There is a sum of a day, model and user that the ledger does not know.",
  "day-unlike-costs": "A sum of a day, model and user is not the sum of its cost records.",
  "day-unlike-postings": "The ledger's own postings of a day are not its own sums: the tenant object was altered.",
} as const satisfies Record<string, string>;
export type DiscrepancyKind = keyof typeof DISCREPANCIES;

export const discrepancy = z
  .object({
    kind: z.enum(Object.keys(DISCREPANCIES) as [DiscrepancyKind, ...DiscrepancyKind[]]),
    count: amount,
    detail: z.string(),
    first: z.object({ seq: z.number().optional(), day: z.string().optional(), model: z.string().optional(), user: z.string().optional() }),
  })
  .meta({ id: "Discrepancy" });
export type Discrepancy = z.infer<typeof discrepancy>;

export const auditVerification = z
  .object({
    valid: z.boolean().meta({ description: "Whether all events up to `events`, and what bills are made of, are as they were written." }),
    events: amount.meta({ description: "Events held right, from the first one on." }),
    head: z.object({
      seq: amount,
      hash: z.string(),
      at: timestamp,
      signed: z.string().nullable().meta({ description: "The last signed head (JWS, EdDSA, typ audit-head+jws), for your own safe-keeping." }),
    }),
    broken_at: z.int().optional().meta({ description: "`seq` of the first event that is wrong or missing." }),
    reason: z.enum(Object.keys(BREAK_REASONS) as [BreakReason, ...BreakReason[]]).optional(),
    detail: z.string().optional(),
    discrepancies: z.array(discrepancy).meta({ description: "Where cost records and daily sums are not what the chain and the ledger say: each kind once. Sums are held right with the last page." }),
    next_cursor: z.string().nullable().meta({ description: "Where to go on: a long chain is held right in pages." }),
  })
  .meta({ id: "AuditVerification" });
export type AuditVerification = z.infer<typeof auditVerification>;

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
    price_floor: priceFloor.nullable().meta({ description: "What each lease granted now costs at least; null: the operator has set no floor." }),
    lines: z.array(billingLine),
  })
  .meta({ id: "Billing" });
export type Billing = z.infer<typeof billing>;

export const usageRow = z.object({ key: z.string(), input_tokens: amount, output_tokens: amount, total_tokens: amount, api_calls: amount, cost: money }).meta({ id: "UsageRow" });
export type UsageRow = z.infer<typeof usageRow>;

/** `{data, next_cursor}` of any list. */
export const page = <T extends z.ZodType>(item: T) => z.object({ data: z.array(item), next_cursor: z.string().nullable() });

export const recordsResent = z
  .object({ events: amount.meta({ description: "The newest that the ledger still has, with their costs." }), from_seq: amount.meta({ description: "The first of them." }), days: amount.meta({ description: "Sums by day, model and user: all of them." }) })
  .meta({ id: "RecordsResent" });
export type RecordsResent = z.infer<typeof recordsResent>;
