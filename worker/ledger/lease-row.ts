/**
 * A lease as it stands in the table, and what is read off a row: where it stands, what it is charged to, how the API
 * shows it. Pure.
 */
import { toTimestamp, usd } from "../../schema/contract/amounts.ts";
import { instantOf } from "../../schema/contract/ids.ts";
import type { LeaseState } from "../../schema/contract/leases.ts";
import type { Prices } from "../../schema/contract/models.ts";
import { ANONYMOUS, keyScope, userScope } from "./books.ts";
import type { Account } from "./charges.ts";
import type { CostEntry } from "./journal.ts";
import type { Row } from "./store.ts";

export interface LeaseRow extends Row {
  id: string;
  state: string;
  purpose: string;
  key_id: string;
  user_id: string | null;
  model: string;
  revision: string;
  manifest_sha256: string;
  prices: string;
  request_id: string | null;
  metadata: string;
  day: string;
  hold: number;
  hold_nanos: number;
  hold_calls: number;
  reported: number;
  charged: number;
  cost_nanos: number;
  calls: number;
  reports: number;
  created_at: number;
  expires_at: number;
  reports_until: number;
  resolved_at: number | null;
}

export const COLUMNS =
  "id, state, purpose, key_id, user_id, model, revision, manifest_sha256, prices, request_id, metadata, day, hold, hold_nanos, hold_calls, reported, charged, cost_nanos, calls, reports, created_at, expires_at, reports_until, resolved_at";

/** Where a lease stands in the table: the instant in its id, which is never after it falls due. */
export const placeOf = ({ id }: LeaseRow): number => instantOf(id.slice(id.lastIndexOf("_") + 1));

export const accountOf = (lease: LeaseRow): Account => ({
  purpose: lease.purpose as Account["purpose"],
  prices: JSON.parse(lease.prices) as Prices,
  hold: lease.hold,
  holdNanos: lease.hold_nanos,
  holdCalls: lease.purpose === "download" ? 0 : lease.hold_calls,
  reported: lease.reported,
  costNanos: lease.cost_nanos,
  calls: lease.calls,
});

export const costOf = (lease: LeaseRow): Pick<CostEntry, "day" | "leaseId" | "model" | "revision"> => ({ day: lease.day, leaseId: lease.id, model: lease.model, revision: lease.revision });

export function scopesOf(lease: LeaseRow): string[] {
  return ["t", userScope(lease.user_id ?? ANONYMOUS), keyScope(lease.key_id)];
}

/** The lease as the API shows it. */
export function toLeaseState(lease: LeaseRow): LeaseState {
  return {
    lease_id: lease.id as LeaseState["lease_id"],
    state: lease.state as LeaseState["state"],
    model: lease.model as LeaseState["model"],
    revision: lease.revision as LeaseState["revision"],
    user: lease.user_id as LeaseState["user"],
    hold: lease.hold,
    used: lease.charged,
    remaining: lease.state === "active" ? lease.hold - lease.reported : 0,
    cost: usd(lease.cost_nanos),
    reports: lease.reports,
    offline: lease.reports_until > lease.expires_at,
    created_at: toTimestamp(lease.created_at),
    expires_at: toTimestamp(lease.expires_at),
    reports_until: toTimestamp(lease.reports_until),
    resolved_at: lease.resolved_at === null ? null : toTimestamp(lease.resolved_at),
  };
}
