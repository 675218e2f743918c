/**
 * Appends what happened: the audit event with its place in the chain, its cost where there is one, and the outbox row
 * that carries both to D1 and to the sums. Call inside the transaction that changes the state: they commit together or
 * not at all.
 */
import type { TenantId } from "../../schema/contract/ids.ts";
import type { UsageReport } from "../../schema/contract/leases.ts";
import { type AuditEntry, type AuditFact, canonicalJson, chain, entryText, sha256Hex } from "./audit-chain.ts";
import type { OutboxRing } from "./outbox-ring.ts";

/** What one event cost. `calls` is 1 on the first charged event of a lease and 0 after it. */
export interface CostEntry {
  readonly day: string;
  readonly leaseId: string;
  readonly model: string;
  readonly revision: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly unreportedTokens: number;
  readonly calls: number;
  readonly costNanos: number;
  readonly outcome: UsageReport["outcome"] | "expired" | "revoked";
  readonly errorCode: string | null;
  readonly latencyMs: number | null;
  readonly ttftMs: number | null;
  readonly backend: string | null;
  readonly cache: string | null;
}

/** One row of the outbox. `profile` is the tenant as the API shows it, where the event changed it. */
export interface OutboxRecord {
  readonly event: AuditEntry;
  readonly cost?: CostEntry;
  readonly profile?: unknown;
}

/** Canonical JSON of a record. */
export function recordText({ event, cost, profile }: OutboxRecord): string {
  const member = (name: string, value: unknown) => (value === undefined ? "" : `"${name}":${canonicalJson(value)}`);
  return `{${[member("cost", cost), `"event":${entryText(event, canonicalJson(event.details), event)}`, member("profile", profile)].filter((text) => text !== "").join(",")}}`;
}

/** What the chain says of a cost: its record in D1 can't be another one. */
export const costDigest = (cost: CostEntry): string => sha256Hex(canonicalJson(cost));

export class Journal {
  readonly #ring: OutboxRing;

  constructor(ring: OutboxRing) {
    this.#ring = ring;
  }

  append(tenant: TenantId, now: number, fact: AuditFact, more: { cost?: CostEntry; profile?: unknown } = {}): AuditEntry {
    const details = more.cost ? { ...fact.details, cost_sha256: costDigest(more.cost) } : fact.details;
    const event = chain(tenant, this.#ring.newest, { ...fact, details }, now);
    this.#ring.put({ event, ...more });
    return event;
  }
}
