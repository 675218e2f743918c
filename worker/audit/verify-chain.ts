/**
 * Holds rows of audit events, as they stand in D1, against the chain they must form. Pure.
 *
 * - Every column counts: a row's hash is computed from what is stored, and its details must be stored in the one form
 *   that was hashed (canonical JSON).
 * - A fault names the first event that is not as it was written, or the place where one is missing.
 */
import type { BreakReason } from "../../schema/contract/records.ts";
import { type AuditEntry, type ChainHead, canonicalJson, hashOf } from "../ledger/audit-chain.ts";

/** A row of D1's audit_events without the tenant's id. */
export interface StoredEvent {
  readonly seq: number;
  readonly at: number;
  readonly action: string;
  readonly actor: string;
  readonly userId: string | null;
  readonly model: string | null;
  readonly requestId: string | null;
  readonly details: string;
  readonly prevHash: string;
  readonly hash: string;
}

export interface ChainFault {
  readonly brokenAt: number;
  readonly reason: BreakReason;
}

/** What is wrong with `row` as the event that follows `previous`; null: nothing. */
export function faultOfEvent(tenant: string, previous: ChainHead, row: StoredEvent): ChainFault | null {
  const expected = previous.seq + 1;
  if (!Number.isSafeInteger(row.seq)) return { brokenAt: expected, reason: "event-surplus" };
  if (row.seq < expected) return { brokenAt: row.seq, reason: "event-surplus" };
  if (row.seq > expected) return { brokenAt: expected, reason: "event-missing" };
  if (!isAsHashed(tenant, row)) return { brokenAt: row.seq, reason: "event-altered" };
  if (row.prevHash !== previous.hash || row.at < previous.at) return { brokenAt: row.seq, reason: "link-broken" };
  return null;
}

function isAsHashed(tenant: string, row: StoredEvent): boolean {
  let details: Record<string, unknown>;
  try {
    details = JSON.parse(row.details) as Record<string, unknown>;
  } catch {
    return false; // what is no JSON was not written by us
  }
  if (canonicalJson(details) !== row.details) return false;
  const { seq, at, action, actor, userId: user, model, requestId, prevHash, hash } = row;
  return hashOf(tenant, { seq, at, action, actor, user, model, requestId, details, prevHash } as Omit<AuditEntry, "hash">) === hash;
}
