/**
 * Appends what happened: the audit event with its place in the chain, its cost where there is one, and the outbox row
 * that carries both to D1. Call inside the transaction that changes the state: they commit together or not at all.
 */
import type { TenantId } from "../../schema/contract/ids.ts";
import type { UsageReport } from "../../schema/contract/leases.ts";
import { type AuditEntry, type AuditFact, GENESIS, type ChainHead, chain } from "./audit-chain.ts";
import type { Store } from "./store.ts";

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

export class Journal {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  head(): ChainHead {
    return this.#store.first<{ seq: number; hash: string }>("SELECT seq, hash FROM audit_head WHERE id = 1") ?? { seq: 0, hash: GENESIS };
  }

  append(tenant: TenantId, now: number, fact: AuditFact, more: { cost?: CostEntry; profile?: unknown } = {}): AuditEntry {
    const event = chain(tenant, this.head(), fact, now);
    this.#store.run(
      "INSERT INTO audit_head (id, seq, hash) VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
      event.seq,
      event.hash,
    );
    const record: OutboxRecord = { event, ...more };
    this.#store.run("INSERT INTO outbox (seq, record) VALUES (?, ?)", event.seq, JSON.stringify(record));
    if (more.cost) this.#addToDay(more.cost, event);
    return event;
  }

  #addToDay(cost: CostEntry, event: AuditEntry): void {
    this.#store.run(
      `INSERT INTO usage_daily (day, model, user_id, input_tokens, output_tokens, unreported_tokens, calls, cost_nanos, version)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (day, model, user_id) DO UPDATE SET
         input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
         unreported_tokens = unreported_tokens + excluded.unreported_tokens, calls = calls + excluded.calls,
         cost_nanos = cost_nanos + excluded.cost_nanos, version = excluded.version`,
      cost.day, cost.model, event.user ?? "", cost.inputTokens, cost.outputTokens, cost.unreportedTokens, cost.calls, cost.costNanos, event.seq,
    );
  }
}
