/**
 * Holds what bills are made of against what says so: cost records against the events of the chain, sums by day against
 * the ledger's. Pure.
 *
 * - An event that cost something carries the SHA-256 of its cost (`cost_sha256`, hashed into the chain): its record in D1
 *   must be that one, column by column; no other event has one.
 * - The ledger goes on while it is held against D1, so it is asked before and after: what D1 says lies between the two,
 *   and is exactly one of them where the version is.
 */
import type { DiscrepancyKind } from "../../schema/contract/records.ts";
import { costDigest } from "../ledger/journal.ts";
import type { CostEntry } from "../ledger/journal.ts";
import type { DayKey, UsageDailyRow } from "../tenants/usage-rows.ts";
import type { StoredEvent } from "./verify-chain.ts";

/** A row of D1's cost_records without the tenant's id. */
export interface StoredCost extends CostEntry {
  readonly seq: number;
  readonly at: number;
  readonly requestId: string | null;
  readonly user: string | null;
}

/** One thing that is wrong, and where. */
export interface Discrepancy {
  readonly kind: DiscrepancyKind;
  readonly seq?: number;
  readonly key?: DayKey;
  /** How many there are of this kind, where one statement found them. */
  readonly count?: number;
}

/** `events` have been held right, and follow each other; `costs` are all rows between the same places. */
export function faultsOfCosts(events: readonly StoredEvent[], costs: readonly StoredCost[]): Discrepancy[] {
  const faults: Discrepancy[] = [];
  const bySeq = new Map(costs.map((cost) => [cost.seq, cost]));
  for (const event of events) {
    const { cost_sha256: digest } = JSON.parse(event.details) as { cost_sha256?: string };
    const cost = bySeq.get(event.seq);
    if (digest === undefined) continue;
    bySeq.delete(event.seq);
    if (!cost) faults.push({ kind: "cost-missing", seq: event.seq });
    else if (!isOf(event, digest, cost)) faults.push({ kind: "cost-altered", seq: event.seq });
  }
  for (const seq of bySeq.keys()) faults.push({ kind: "cost-surplus", seq });
  return faults;
}

function isOf(event: StoredEvent, digest: string, { seq: _, at, requestId, user, ...cost }: StoredCost): boolean {
  return at === event.at && requestId === event.requestId && user === event.userId && costDigest(cost) === digest;
}

/** What the ledger says of a range of keys at one time; `sent`: the last event that D1 had then. */
export interface LedgerSums {
  readonly rows: readonly UsageDailyRow[];
  readonly sent: number;
}

const AMOUNTS = ["input_tokens", "output_tokens", "unreported_tokens", "calls", "cost_nanos"] as const;
const nameOf = ({ day, model, user_id }: DayKey) => JSON.stringify([day, model, user_id]);
const isSame = (a: UsageDailyRow, b: UsageDailyRow) => AMOUNTS.every((name) => a[name] === b[name]);

export function faultsOfDays(before: LedgerSums, stored: readonly UsageDailyRow[], after: readonly UsageDailyRow[]): Discrepancy[] {
  const [was, is, will] = [before.rows, stored, after].map((rows) => new Map(rows.map((row) => [nameOf(row), row]))) as [Map<string, UsageDailyRow>, Map<string, UsageDailyRow>, Map<string, UsageDailyRow>];
  const faults: Discrepancy[] = [];
  for (const [name, row] of is) {
    const now = will.get(name);
    const key = { day: row.day, model: row.model, user_id: row.user_id };
    if (!now) faults.push({ kind: "day-surplus", key });
    else if (!isBetween(was.get(name), row, now, before.sent)) faults.push({ kind: "day-altered", key });
  }
  for (const [name, { day, model, user_id, version }] of was) {
    if (version <= before.sent && !is.has(name)) faults.push({ kind: "day-missing", key: { day, model, user_id } });
  }
  return faults;
}

function isBetween(was: UsageDailyRow | undefined, row: UsageDailyRow, now: UsageDailyRow, sent: number): boolean {
  if (row.version === now.version) return isSame(row, now);
  if (row.version === was?.version) return isSame(row, was);
  const least = was && was.version <= sent ? was : null;
  return row.version > (least?.version ?? 0) && row.version < now.version && AMOUNTS.every((name) => row[name] >= (least?.[name] ?? 0) && row[name] <= now[name]);
}
