/**
 * `GET …/audit/verify`: holds what D1 has of a tenant's chain against the tenant object's own head and the signed heads
 * in R2, and says where it first differs.
 *
 * - The statement is about events 1 up to `head`: what the object knew D1 to have when it was asked. What came after is
 *   not judged, but nothing may stand in D1 or R2 that the object never wrote.
 * - Long chains go in pages: a cursor carries the last event that was held right. One made up is refused where
 *   it is beyond the chain's end; before that, its event is not the one that the next follows.
 * - Cost records are held against each page of events, and sums by day against the cost records of the days that end with
 *   it; against the ledger's, with the last page (verify-bills.ts). Where they differ, the chain goes on: it is right in itself.
 */
import type { Discrepancy } from "../../schema/contract/records.ts";
import type { HeadClaims, HeadKey, HeadName } from "./signed-head.ts";
import { verifyHead } from "./signed-head.ts";
import { type ChainHead, sha256Hex } from "../ledger/audit-chain.ts";
import type { LiveChain } from "../ledger/desks/audit-desk.ts";
import type { TenantHeads } from "../tenants/heads.ts";
import { type BillSources, Discrepancies, costsOf, unlikeCosts, wholeBills } from "./verify-bills.ts";
import { type ChainFault, type StoredEvent, faultOfEvent } from "./verify-chain.ts";

const ROWS_A_READ = 1_000;
/** What one call holds right: some seconds of work, and fewer reads than the platform allows. */
const EVENTS_A_CALL = 50_000;
const HEADS_A_CALL = 300;
const READS_AT_ONCE = 6;

/** Where the facts come from: D1, R2, and the tenant object asked a second time. */
export interface ChainSources {
  readonly tenant: string;
  /** `after` null: from the first row on, whatever its number. */
  events(after: number | null, limit: number): Promise<StoredEvent[]>;
  readonly bills: BillSources;
  /** The `seq` of the last row there is, whatever somebody put there; null where there is none. */
  lastSeq(): Promise<unknown>;
  readonly heads: Pick<TenantHeads, "list" | "get" | "has">;
  readonly live: LiveChain;
  liveNow(): Promise<LiveChain>;
}

export interface Verdict {
  /** The last event that was held right. */
  readonly upTo: ChainHead;
  readonly complete: boolean;
  readonly fault: ChainFault | null;
  readonly discrepancies: readonly Discrepancy[];
}

interface SignedHead {
  readonly name: HeadName;
  /** Null: no text stands there that this tenant's object signed. */
  readonly claims: HeadClaims | null;
}

/** Whether a cursor can be a place in a chain that ends so. One before the end is held against the event that follows it. */
export const isPlaceIn = (end: ChainHead, start: ChainHead): boolean => start.seq < end.seq || (start.seq === end.seq && start.hash === end.hash);

export async function verifyFrom(start: ChainHead, sources: ChainSources): Promise<Verdict> {
  const { heads, live } = sources;
  const names = await heads.list(start.seq, HEADS_A_CALL + 1);
  const end = Math.min(live.sent.seq, start.seq + EVENTS_A_CALL, names[HEADS_A_CALL]?.seq ?? Number.MAX_SAFE_INTEGER);
  const complete = end === live.sent.seq;
  const signed = await readHeads(names.filter(({ seq }) => seq <= end), sources);
  const walked = await walk(start, end, signed, sources);
  const { found, upTo } = walked;
  if (walked.fault) return { upTo, fault: walked.fault, complete: false, discrepancies: found.list };
  const fault = (await missingHead(signed, sources)) ?? (complete ? await faultAtEnd(upTo, sources) : null);
  found.add(await unlikeCosts(start, complete ? null : upTo, sources.bills));
  if (complete) found.add(await wholeBills(sources.bills));
  return { upTo, complete: complete && fault === null, fault, discrepancies: found.list };
}

async function walk(start: ChainHead, end: number, signed: readonly SignedHead[], { tenant, events, live, bills }: ChainSources): Promise<Pick<Verdict, "upTo" | "fault"> & { found: Discrepancies }> {
  const found = new Discrepancies();
  let upTo = start;
  while (upTo.seq < end) {
    // Nothing can stand before the first event: rows with such numbers are looked for too.
    const before = upTo.seq === 0 ? null : upTo.seq;
    const rows = await events(before, Math.min(ROWS_A_READ, end - upTo.seq));
    if (rows.length === 0) return { upTo, found, fault: { brokenAt: upTo.seq + 1, reason: "events-truncated" } };
    for (const row of rows) {
      const fault = faultOfEvent(tenant, upTo, row) ?? faultOfHeads(row, signed, live);
      if (fault) return { upTo, found, fault };
      upTo = { seq: row.seq, hash: row.hash, at: row.at };
    }
    found.add(await costsOf(rows, before, bills));
  }
  return { upTo, found, fault: null };
}

function faultOfHeads(row: StoredEvent, signed: readonly SignedHead[], { sent }: LiveChain): ChainFault | null {
  if (row.seq === sent.seq && row.hash !== sent.hash) return { brokenAt: row.seq, reason: "head-mismatch" };
  for (const { name, claims } of signed) {
    if (name.seq !== row.seq) continue;
    if (claims === null || claims.seq !== row.seq) return { brokenAt: row.seq, reason: "signed-head-invalid" };
    if (claims.hash !== row.hash) return { brokenAt: row.seq, reason: "signed-head-mismatch" };
  }
  return null;
}

/** Each head names the one before it, and the object the last: none may be gone. */
async function missingHead(signed: readonly SignedHead[], { heads, live }: ChainSources): Promise<ChainFault | null> {
  const known = new Set(signed.map(({ name }) => name.sha256));
  const named = [...signed.flatMap(({ claims }) => claims?.prev ?? []), ...(live.signed ? [live.signed] : [])];
  for (const name of named) {
    if (!known.has(name.sha256) && !(await heads.has(name))) return { brokenAt: name.seq, reason: "signed-head-missing" };
  }
  return null;
}

/** After the last event that was asked for: nothing that the object never wrote. */
async function faultAtEnd(upTo: ChainHead, { lastSeq, heads, liveNow }: ChainSources): Promise<ChainFault | null> {
  const last = await lastSeq();
  const later = (await heads.list(upTo.seq, HEADS_A_CALL)).at(-1);
  const { newest } = await liveNow();
  if (!Number.isSafeInteger(last) || (last as number) > newest.seq) return { brokenAt: newest.seq + 1, reason: "event-surplus" };
  if (later && later.seq > newest.seq) return { brokenAt: newest.seq + 1, reason: "signed-head-ahead" };
  return null;
}

async function readHeads(names: readonly HeadName[], { tenant, heads, live }: ChainSources): Promise<SignedHead[]> {
  const read: SignedHead[] = [];
  for (let at = 0; at < names.length; at += READS_AT_ONCE) {
    read.push(...(await Promise.all(names.slice(at, at + READS_AT_ONCE).map((name) => readHead(name, tenant, heads, live.keys)))));
  }
  return read;
}

async function readHead(name: HeadName, tenant: string, heads: ChainSources["heads"], keys: readonly HeadKey[]): Promise<SignedHead> {
  const jws = await heads.get(name);
  return { name, claims: jws === null || sha256Hex(jws) !== name.sha256 ? null : await verifyHead(jws, tenant, keys) };
}
