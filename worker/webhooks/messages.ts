/**
 * Which events of the audit are also sent to webhooks, and as what. Pure.
 *
 * A message is made of its audit event: it says the same and bears the same id.
 */
import { toTimestamp } from "../../schema/contract/amounts.ts";
import type { AuditAction } from "../../schema/contract/records.ts";
import type { WebhookEvent } from "../../schema/contract/webhooks.ts";
import type { AuditEntry } from "../ledger/audit-chain.ts";

const EVENT_OF: Partial<Record<AuditAction, WebhookEvent>> = {
  QUOTA_ALERT: "quota.threshold",
  KEY_CREATED: "key.created",
  KEY_ROTATED: "key.rotated",
  KEY_REVOKED: "key.revoked",
  MODEL_PUBLISHED: "model.published",
  MODEL_ROLLED_BACK: "model.rolled-back",
  TENANT_DISABLED: "tenant.disabled",
  TENANT_ENABLED: "tenant.enabled",
};

/** Denials of one reason within a minute that are worth a message. */
const MANY_DENIALS = 100;

export interface Message {
  readonly id: string;
  readonly type: WebhookEvent;
  /** JSON, exactly as it is signed and sent. */
  readonly body: string;
}

export function messageOf(tenant: string, entry: Pick<AuditEntry, "seq" | "at" | "action" | "actor" | "user" | "model" | "details">): Message | null {
  const type = EVENT_OF[entry.action] ?? (entry.action === "LEASE_DENIED" && Number(entry.details.count) >= MANY_DENIALS ? "anomaly.denials" : null);
  if (type === null) return null;
  const about = { tenant, actor: entry.actor, ...(entry.user !== null && { user: entry.user }), ...(entry.model !== null && { model: entry.model }) };
  return { id: `evt_${tenant}_${entry.seq}`, type, body: JSON.stringify({ type, timestamp: toTimestamp(entry.at), data: { ...about, ...entry.details } }) };
}
