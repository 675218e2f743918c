/**
 * Reads what bills are made of, out of D1 and out of the ledger, a page at a time, and says each way in which they
 * differ: how often, and where first. The comparisons are in verify-costs.ts.
 */
import type { Discrepancy as Told, DiscrepancyKind } from "../../schema/contract/records.ts";
import { DISCREPANCIES } from "../../schema/contract/records.ts";
import type { ChainHead } from "../ledger/audit-chain.ts";
import { ALL_DAYS, type BillRecords, EVERYWHERE } from "../tenants/bill-records.ts";
import { type DayKey, FIRST_KEY, type UsageDailyRow } from "../tenants/usage-rows.ts";
import { type Discrepancy, type LedgerSums, faultsOfCosts, faultsOfDays } from "./verify-costs.ts";
import type { StoredEvent } from "./verify-chain.ts";

const DAYS_A_READ = 2_000;

/** Where the facts come from. */
export interface BillSources {
  readonly d1: Pick<BillRecords, "costs" | "lastCostSeq" | "days" | "unlikeCosts">;
  /** The ledger's own sums after one key: `limit` of them, or all up to another key. */
  ledger(after: DayKey, upTo: DayKey | null, limit: number): Promise<LedgerSums & { readonly newest: number }>;
  /** Days whose postings in the ledger's windows are not its sums of the day. */
  postings(): Promise<readonly string[]>;
}

/** Collects what is wrong by kind. */
export class Discrepancies {
  readonly #told = new Map<DiscrepancyKind, { count: number; first: Discrepancy }>();

  add(found: readonly Discrepancy[]): void {
    for (const one of found) {
      const before = this.#told.get(one.kind);
      this.#told.set(one.kind, { count: (before?.count ?? 0) + (one.count ?? 1), first: before?.first ?? one });
    }
  }

  /** As the API tells them, in the order of the table. */
  get list(): Told[] {
    return (Object.keys(DISCREPANCIES) as DiscrepancyKind[]).flatMap((kind) => {
      const told = this.#told.get(kind);
      if (!told) return [];
      const { seq, key } = told.first;
      return [{ kind, count: told.count, detail: DISCREPANCIES[kind], first: { ...(seq !== undefined && { seq }), ...(key && { day: String(key.day), ...(key.model !== "" && { model: String(key.model) }), ...(key.user_id !== "" && { user: String(key.user_id) }) }) } }];
    });
  }
}

/** The cost records of events that were just held right; `after`: the event before them, null: from the first row on. */
export async function costsOf(events: readonly StoredEvent[], after: number | null, { d1 }: BillSources): Promise<Discrepancy[]> {
  const last = (events.at(-1) as StoredEvent).seq;
  // One more than there can be: whatever is beyond is surplus, and one of it shows.
  return faultsOfCosts(events, await d1.costs(after, last, 2 * events.length + 1));
}

/**
 * Sums by day against their cost records, of the days that end with this page of events; `end` null: of all that are left.
 * Records of a day are no later than `LATEST_MS` after it, if all went well, and are looked for there. Where a sum is
 * not that of these, they are looked for everywhere.
 */
export async function unlikeCosts(start: ChainHead, end: ChainHead | null, { d1 }: BillSources): Promise<Discrepancy[]> {
  const days = { from: start.seq === 0 ? ALL_DAYS.from : dayAfter(endedBy(start.at)), through: end === null ? ALL_DAYS.through : endedBy(end.at) };
  if (days.from > days.through) return [];
  const near = await d1.unlikeCosts(days, { since: start.seq === 0 ? null : Date.parse(days.from) - EARLIEST_MS, upTo: end?.seq ?? null });
  const unlike = near && (await d1.unlikeCosts({ from: near.day, through: near.last }, EVERYWHERE));
  return unlike ? [{ kind: "day-unlike-costs", key: { day: unlike.day, model: unlike.model, user_id: unlike.user_id }, count: unlike.count }] : [];
}

const HOUR = 3_600_000;
/** Days begin in the tenant's zone: at most so long before they do in UTC. */
const EARLIEST_MS = 14 * HOUR;
/** From the beginning of a day in UTC: its end in any zone, an offline lease with its grace, and half a day. */
const LATEST_MS = 96 * HOUR;

const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10);
const dayAfter = (day: string) => dayOf(Date.parse(day) + 24 * HOUR);
/** The last day whose records are all there at an instant. */
const endedBy = (at: number) => dayOf(Math.max(0, at - LATEST_MS));

/** What only the whole shows: sums by day against the ledger's, its postings, and nothing after the last event. */
export async function wholeBills(sources: BillSources): Promise<Discrepancy[]> {
  const { d1, ledger, postings } = sources;
  const found: Discrepancy[] = [];
  let after: DayKey | null = FIRST_KEY;
  while (after !== null) {
    const before: LedgerSums = await ledger(after, null, DAYS_A_READ);
    const last: UsageDailyRow | undefined = before.rows.length < DAYS_A_READ ? undefined : before.rows.at(-1);
    const upTo = last ? { day: last.day, model: last.model, user_id: last.user_id } : null;
    const stored = await d1.days(after, upTo, 2 * DAYS_A_READ + 1);
    found.push(...faultsOfDays(before, stored, (await ledger(after, upTo, Number.MAX_SAFE_INTEGER)).rows));
    after = upTo;
  }
  found.push(...(await postings()).map((day): Discrepancy => ({ kind: "day-unlike-postings", key: { day, model: "", user_id: "" } })));
  const lastCost = await d1.lastCostSeq();
  const { newest } = await ledger(FIRST_KEY, FIRST_KEY, 1);
  if (lastCost !== null && (!Number.isSafeInteger(lastCost) || (lastCost as number) > newest)) found.push({ kind: "cost-surplus", seq: newest + 1 });
  return found;
}
