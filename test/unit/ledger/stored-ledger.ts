/** The ledger's own parts (lease book, book keeper, decision, minute, journal) on SQLite, as the reference is held against them. */
import { ceilingNanos } from "../../../schema/contract/measure.ts";
import type { LeaseState, UsageReport } from "../../../schema/contract/leases.ts";
import type { TenantId } from "../../../schema/contract/ids.ts";
import type { Policy } from "../../../schema/contract/policy.ts";
import { ANONYMOUS, BookKeeper } from "../../../worker/ledger/books.ts";
import { dayAt } from "../../../worker/ledger/calendar.ts";
import { type Books, afterHold, decideHold } from "../../../worker/ledger/decide-hold.ts";
import { Journal } from "../../../worker/ledger/journal.ts";
import type { StoredKey } from "../../../worker/ledger/key-ring.ts";
import { LeaseBook } from "../../../worker/ledger/lease-book.ts";
import type { LeaseRow } from "../../../worker/ledger/lease-row.ts";
import { Mirrors } from "../../../worker/ledger/mirrors.ts";
import { OutboxRing } from "../../../worker/ledger/outbox-ring.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";
import { type Ask, type ReferencePrices, type Report, limitsOfKey } from "./reference.ts";

export interface Ledger {
  /** The code of the refusal, or the number of the lease: 0, 1, 2, … in the order of their grants. */
  grant(ask: Ask, policy: Policy, now: number): string | number;
  report(number: number, report: Report, now: number): string;
  sweep(now: number): void;
  revokeAll(now: number): void;
  books(who: { user: string | null; key: string; keyLimit: number | null }, policy: Policy, now: number): Books;
  /** Forgets what is kept in memory, as an eviction does. */
  evict(now: number): void;
}

/** Users and keys of the reference are small names; a key is what `BookKeeper` needs to know of one. */
const keyOf = (who: { key: string; keyLimit: number | null }): StoredKey => ({ id: who.key, line: [who.key], limits: limitsOfKey(who.keyLimit) }) as unknown as StoredKey;

const TENANT = "acme" as TenantId;

export function storedLedger(prices: ReferencePrices): Ledger {
  const { store } = memoryStore();
  const mirrors = new Mirrors();
  const keeper = new BookKeeper(store, mirrors);
  const book = new LeaseBook(TENANT, store, keeper, new Journal(new OutboxRing(store)), mirrors);
  const ids: string[] = [];
  const seqs = new Map<number, number>();
  const self: Ledger = {
    books: (who, policy, now) => keeper.read(TENANT, policy, now, who.user ?? ANONYMOUS, keyOf(who)),
    grant(ask, policy, now) {
      const nanos = ask.tokens === 0 ? 0 : ceilingNanos(ask.tokens, prices, ask.calls);
      if (nanos === null) return "invalid-request";
      const before = self.books(ask, policy, now);
      const decision = decideHold({ tokens: ask.tokens, nanos, egressBytes: 0 }, before);
      if (!decision.ok) return decision.refusal.code;
      const lease = book.open(
        {
          purpose: ask.tokens === 0 ? "download" : "inference", keyId: ask.key, user: ask.user, model: "tiny", revision: "rev", manifestSha256: "", prices,
          requestId: null, metadata: {}, day: dayAt(now, policy.time_zone), tokens: ask.tokens, nanos, calls: ask.calls, ttlSeconds: ask.ttlSeconds, graceSeconds: ask.graceSeconds,
        },
        now,
      );
      // What is said to be left after a grant is what a new reading says.
      const said = JSON.stringify(afterHold(before, decision.value, lease.expires_at));
      if (said !== JSON.stringify(self.books(ask, policy, now))) return "the books after the hold are others than a new reading's";
      return ids.push(lease.id) - 1;
    },
    report(number, report, now) {
      const seq = (seqs.get(number) ?? 0) + 1;
      seqs.set(number, seq);
      const body: UsageReport = {
        seq, request_id: "r" as UsageReport["request_id"], input_tokens: report.input, output_tokens: report.output, calls: report.calls ?? undefined, outcome: report.ran ? "ok" : "error",
        latency_ms: 1, backend: "wasm", cache: "hit", final: report.final,
      };
      const result = book.report(book.find(ids[number] as string) as LeaseRow, body, "key", now);
      if (!result.ok) return result.refusal.code;
      // The same report again: the same answer, and nothing is charged twice.
      const again = book.report(book.find(ids[number] as string) as LeaseRow, body, "key", now);
      return again.ok && sameState(again.value, result.value) ? "ok" : "another answer";
    },
    sweep: (now) => book.sweep(now),
    revokeAll: (now) => book.revokeAll(now, "operator", "r"),
    evict: (now) => {
      store.forget();
      book.fillMirrors(now);
    },
  };
  return self;
}

const sameState = (a: LeaseState, b: LeaseState) => JSON.stringify(a) === JSON.stringify(b);
