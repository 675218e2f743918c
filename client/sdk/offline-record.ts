/**
 * One offline lease as this browser keeps it: what was used of it, and the numbered reports that are still to be sent. Pure.
 *
 * - Tokens and a call are taken before a run, and what it didn't use given back after it, so that what runs never passes the hold. A page that goes
 *   away in between keeps them taken here; the final report gives them back at the control plane.
 * - The key to the weights goes with the lease's end, though what it has to report may wait for days.
 * - A report keeps its number until it is acknowledged: sent twice, it counts once.
 * - A run that ends after the lease was ended (its time was over, another tab saw it) is reported before the final report,
 *   where that has not arrived yet.
 */
import type { LeaseGranted, UsageReport } from "../../schema/contract/leases.ts";

/** A grant without what is not to be kept: the content key's text, and balances that are old tomorrow. */
export type HeldLease = Omit<LeaseGranted, "content_key" | "quota">;

export interface OfflineRecord {
  readonly lease_id: string;
  readonly model: string;
  readonly grant: HeldLease;
  /** Opens the cached weights. Can't be taken out of the browser. Null once the lease has ended. */
  readonly contentKey: CryptoKey | null;
  readonly usedTokens: number;
  readonly usedCalls: number;
  readonly nextSeq: number;
  readonly queue: readonly UsageReport[];
  /** Whether its final report is in the queue. */
  readonly isEnded: boolean;
}

export function recordOf({ content_key: _, quota: __, ...grant }: LeaseGranted, contentKey: CryptoKey): OfflineRecord {
  return { lease_id: grant.lease_id, model: grant.model.id, grant, contentKey, usedTokens: 0, usedCalls: 0, nextSeq: 1, queue: [], isEnded: false };
}

export const tokensLeft = ({ grant, usedTokens }: OfflineRecord): number => grant.hold - usedTokens;
export const isRunnable = (record: OfflineRecord, nowMs: number): boolean => !record.isEnded && nowMs < Date.parse(record.grant.expires_at);

/** Null where it is over, or has not that much left. */
export function take(record: OfflineRecord, tokens: number, nowMs: number): OfflineRecord | null {
  const isEnough = tokensLeft(record) >= tokens && record.usedCalls < record.grant.calls;
  return isRunnable(record, nowMs) && isEnough ? { ...record, usedTokens: record.usedTokens + tokens, usedCalls: record.usedCalls + 1 } : null;
}

/** What a run that had taken `taken` came to. */
export function enter(record: OfflineRecord, taken: number, report: UsageReport): OfflineRecord {
  const used = report.input_tokens + report.output_tokens;
  const calls = report.outcome === "ok" || used > 0 ? 1 : 0;
  const after = { ...record, usedTokens: record.usedTokens - taken + used, usedCalls: record.usedCalls - 1 + calls, nextSeq: record.nextSeq + 1 };
  const last = record.queue.filter(({ final }) => final);
  return { ...after, queue: [...record.queue.filter(({ final }) => !final), { ...report, calls, seq: record.nextSeq, final: false }, ...last] };
}

/** Gives back what was not used: nothing runs on it any more. */
export function end(record: OfflineRecord, requestId: UsageReport["request_id"]): OfflineRecord {
  if (record.isEnded) return record;
  const last: UsageReport = { seq: record.nextSeq, request_id: requestId, input_tokens: 0, output_tokens: 0, calls: 0, outcome: "ok", latency_ms: 0, backend: "wasm", cache: "hit", final: true };
  return { ...record, nextSeq: record.nextSeq + 1, queue: [...record.queue, last], isEnded: true, contentKey: null };
}

/** Null once there is nothing left to send and nothing left to run. */
export function acknowledge(record: OfflineRecord, seq: number): OfflineRecord | null {
  const queue = record.queue.filter((report) => report.seq !== seq);
  return queue.length === 0 && record.isEnded ? null : { ...record, queue };
}
