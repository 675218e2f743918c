/**
 * The leases of one tenant: grant, report, settle, expire, revoke. Each method runs inside the object's transaction.
 *
 * - A lease resolves once: `settled`, `expired` or `revoked`. Usage never exceeds the hold.
 * - An active lease holds `hold − reported`; a lease that is never reported costs its whole hold.
 * - Expiry is decided at read: whoever comes first after `reports_until` books it, the alarm at the latest. That is the
 *   lease's end, and for an offline lease the end of its grace time; between the two it may be reported, and nothing else.
 */
import { toTimestamp, usd } from "../../schema/contract/amounts.ts";
import { type LeaseId, type TenantId, sortableId } from "../../schema/contract/ids.ts";
import type { LeaseState, UsageReport } from "../../schema/contract/leases.ts";
import type { Prices } from "../../schema/contract/models.ts";
import { type BookKeeper, keyScope, userScope } from "./books.ts";
import type { ActiveLeases } from "./active.ts";
import { type Account, type Change, endCharge, grantChange, reportCharge } from "./charges.ts";
import type { CostEntry, Journal } from "./journal.ts";
import { MINUTE_SECONDS, type MinuteWindow } from "./minute.ts";
import { canonicalJson } from "./audit-chain.ts";
import { type Result, done, refuse } from "./result.ts";
import type { Row, Store } from "./store.ts";

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

export interface NewLease {
  readonly purpose: "inference" | "download";
  readonly keyId: string;
  readonly user: string | null;
  readonly model: string;
  readonly revision: string;
  readonly manifestSha256: string;
  readonly prices: Prices;
  readonly requestId: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly day: string;
  readonly tokens: number;
  readonly nanos: number;
  readonly ttlSeconds: number;
  /** How long after its end the lease may still be reported; 0 but for an offline one. */
  readonly graceSeconds: number;
}

type Ending = "expired" | "revoked";
const SWEEP_LIMIT = 500;
const COLUMNS =
  "id, state, purpose, key_id, user_id, model, revision, manifest_sha256, prices, request_id, metadata, day, hold, hold_nanos, reported, charged, cost_nanos, calls, reports, created_at, expires_at, reports_until, resolved_at";

export class LeaseBook {
  readonly #store: Store;
  readonly #books: BookKeeper;
  readonly #journal: Journal;
  readonly #minute: MinuteWindow;
  readonly #active: ActiveLeases;
  readonly #tenant: TenantId;

  constructor(tenant: TenantId, store: Store, books: BookKeeper, journal: Journal, minute: MinuteWindow, active: ActiveLeases) {
    this.#tenant = tenant;
    this.#store = store;
    this.#books = books;
    this.#journal = journal;
    this.#minute = minute;
    this.#active = active;
  }

  /** Reads anew what is mirrored in memory: the sliding minute from its leases, whose ids sort by time; and the active leases. */
  fillMirrors(now: number): void {
    this.#active.clear();
    const ends = this.#store.all<{ expires_at: number; n: number }>(
      "SELECT expires_at, count(*) AS n FROM leases WHERE state = 'active' AND hold > 0 AND expires_at > ? GROUP BY expires_at",
      now,
    );
    for (const { expires_at, n } of ends) this.#active.add(expires_at, n);
    this.#minute.clear();
    const since = `ls_${this.#tenant}_${sortableId(now - (MINUTE_SECONDS + 1) * 1000, (bytes) => bytes.fill(0))}`;
    for (const lease of this.#store.all<LeaseRow>(`SELECT ${COLUMNS} FROM leases WHERE id >= ?`, since)) {
      const held = lease.state === "active" ? lease.hold - lease.reported : 0;
      this.#minute.admit(lease.created_at, held, lease.charged);
    }
  }

  /** Writes the lease and its hold. The caller has decided that it may be. */
  open(ask: NewLease, now: number): LeaseRow {
    const id = `ls_${this.#tenant}_${sortableId(now)}` as LeaseId;
    const expiresAt = expiryOf(now, ask.ttlSeconds);
    this.#store.run(
      `INSERT INTO leases (id, state, purpose, key_id, user_id, model, revision, manifest_sha256, prices, request_id, metadata, day, hold, hold_nanos, created_at, expires_at, reports_until)
       VALUES (?, 'active', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      id, ask.purpose, ask.keyId, ask.user, ask.model, ask.revision, ask.manifestSha256, JSON.stringify(ask.prices), ask.requestId,
      JSON.stringify(ask.metadata), ask.day, ask.tokens, ask.nanos, now, expiresAt, expiresAt + ask.graceSeconds * 1000,
    );
    const lease = this.find(id) as LeaseRow;
    this.#post(lease, grantChange(ask.tokens, ask.nanos));
    this.#minute.admit(now, ask.tokens);
    if (ask.tokens > 0) this.#active.add(expiresAt);
    return lease;
  }

  find(id: string): LeaseRow | null {
    return this.#store.first<LeaseRow>(`SELECT ${COLUMNS} FROM leases WHERE id = ?`, id);
  }

  /** Books every lease whose time has passed. */
  sweep(now: number): void {
    for (;;) {
      const due = this.#store.all<LeaseRow>(`SELECT ${COLUMNS} FROM leases WHERE state = 'active' AND reports_until <= ? LIMIT ?`, now, SWEEP_LIMIT);
      for (const lease of due) this.#end(lease, "expired", now, "system", null);
      if (due.length < SWEEP_LIMIT) return;
    }
  }

  /** Ends every active lease at once. */
  revokeAll(now: number, actor: string, requestId: string): void {
    for (const lease of this.#store.all<LeaseRow>(`SELECT ${COLUMNS} FROM leases WHERE state = 'active'`)) this.#end(lease, "revoked", now, actor, requestId);
  }

  /** Ends every active lease that this key was granted. */
  revokeOf(keyId: string, now: number, actor: string, requestId: string): number {
    const leases = this.#store.all<LeaseRow>(`SELECT ${COLUMNS} FROM leases WHERE state = 'active' AND key_id = ?`, keyId);
    for (const lease of leases) this.#end(lease, "revoked", now, actor, requestId);
    return leases.length;
  }

  nextExpiry(): number | null {
    return this.#store.first<{ at: number | null }>("SELECT min(reports_until) AS at FROM leases WHERE state = 'active'")?.at ?? null;
  }

  /** Takes one usage report. The same `seq` with the same body answers as before; nothing is charged twice. */
  report(lease: LeaseRow, report: UsageReport, actor: string, now: number): Result<LeaseState> {
    const body = canonicalJson(report);
    const before = this.#store.first<{ body: string; answer: string }>("SELECT body, answer FROM reports WHERE lease_id = ? AND seq = ?", lease.id, report.seq);
    if (before) {
      return before.body === body ? done(JSON.parse(before.answer) as LeaseState) : refuse("conflict", `Report ${report.seq} of this lease was another one. Number each report anew.`);
    }
    if (lease.state === "settled") return refuse("lease-settled", "This lease is settled: it takes no further reports.");
    if (lease.state === "expired") return refuse("lease-expired", `This lease was to be reported until ${toTimestamp(lease.reports_until)}, and its whole hold was charged. Ask for a new one, and report in time.`);
    if (lease.state === "revoked") return refuse("lease-revoked", "This lease was revoked and its whole hold was charged.");
    const used = report.input_tokens + report.output_tokens;
    const left = lease.hold - lease.reported;
    if (used > left) return refuse("usage-exceeds-hold", `The report names ${used} tokens; ${left} of the hold are left. Nothing was charged for it.`, { limit: lease.hold, remaining: left });
    this.#charge(lease, report, actor, now);
    const answer = toLeaseState(this.find(lease.id) as LeaseRow);
    this.#store.run("INSERT INTO reports (lease_id, seq, body, answer) VALUES (?, ?, ?, ?)", lease.id, report.seq, body, JSON.stringify(answer));
    return done(answer);
  }

  /** A download holds nothing and posts nothing: no window has a row for it. */
  #post(lease: LeaseRow, change: Change): void {
    if (lease.hold > 0) this.#books.post(scopesOf(lease), lease.day, change);
  }

  #charge(lease: LeaseRow, report: UsageReport, actor: string, now: number): void {
    const usage = { inputTokens: report.input_tokens, outputTokens: report.output_tokens, ran: report.outcome === "ok", final: report.final };
    const { change, tokens, costNanos, calls, refund } = reportCharge(accountOf(lease), usage);
    this.#post(lease, change);
    this.#minute.resolve(lease.created_at, -change.held, change.posted);
    this.#store.run(
      `UPDATE leases SET reported = reported + ?, charged = charged + ?, cost_nanos = cost_nanos + ?, calls = calls + ?, reports = reports + 1, state = ?, resolved_at = ? WHERE id = ?`,
      tokens, tokens, costNanos, calls, report.final ? "settled" : "active", report.final ? now : null, lease.id,
    );
    if (lease.purpose === "download") return;
    if (report.final) this.#active.remove(lease.expires_at);
    const details = {
      lease_id: lease.id, revision: lease.revision, seq: report.seq, input_tokens: report.input_tokens, output_tokens: report.output_tokens,
      cost_nanos: costNanos, outcome: report.outcome, error_code: report.error_code, latency_ms: report.latency_ms, ttft_ms: report.ttft_ms,
      backend: report.backend, cache: report.cache, final: report.final, refunded_tokens: refund, metadata: JSON.parse(lease.metadata) as unknown,
    };
    this.#journal.append(
      this.#tenant,
      now,
      { action: "INFERENCE_EXECUTED", actor, user: lease.user_id, model: lease.model, requestId: report.request_id, details },
      {
        cost: {
          ...costOf(lease), inputTokens: report.input_tokens, outputTokens: report.output_tokens, unreportedTokens: 0, calls, costNanos,
          outcome: report.outcome, errorCode: report.error_code ?? null, latencyMs: report.latency_ms, ttftMs: report.ttft_ms ?? null,
          backend: report.backend, cache: report.cache,
        },
      },
    );
  }

  #end(lease: LeaseRow, ending: Ending, now: number, actor: string, requestId: string | null): void {
    const { change, tokens, costNanos, calls } = endCharge(accountOf(lease));
    this.#post(lease, change);
    this.#minute.resolve(lease.created_at, -change.held, change.posted);
    this.#store.run(
      "UPDATE leases SET state = ?, charged = charged + ?, cost_nanos = cost_nanos + ?, calls = calls + ?, resolved_at = ? WHERE id = ?",
      ending, tokens, costNanos, calls, ending === "expired" ? lease.reports_until : now, lease.id,
    );
    if (lease.purpose === "download") return;
    this.#active.remove(lease.expires_at);
    this.#journal.append(
      this.#tenant,
      now,
      {
        action: ending === "expired" ? "LEASE_EXPIRED" : "LEASE_REVOKED", actor, user: lease.user_id, model: lease.model, requestId: requestId ?? lease.request_id,
        details: { lease_id: lease.id, revision: lease.revision, unreported_tokens: tokens, cost_nanos: costNanos },
      },
      {
        cost: {
          ...costOf(lease), inputTokens: 0, outputTokens: 0, unreportedTokens: tokens, calls, costNanos, outcome: ending,
          errorCode: null, latencyMs: null, ttftMs: null, backend: null, cache: null,
        },
      },
    );
  }
}

/** A whole second, as the token's `exp` is: the ledger and the token end the lease at the same instant. */
const expiryOf = (now: number, ttlSeconds: number): number => (Math.floor(now / 1000) + ttlSeconds) * 1000;

const accountOf = (lease: LeaseRow): Account => ({
  purpose: lease.purpose as Account["purpose"],
  prices: JSON.parse(lease.prices) as Prices,
  hold: lease.hold,
  holdNanos: lease.hold_nanos,
  reported: lease.reported,
  costNanos: lease.cost_nanos,
  calls: lease.calls,
});

const costOf = (lease: LeaseRow): Pick<CostEntry, "day" | "leaseId" | "model" | "revision"> => ({ day: lease.day, leaseId: lease.id, model: lease.model, revision: lease.revision });

function scopesOf(lease: LeaseRow): string[] {
  return ["t", ...(lease.user_id === null ? [] : [userScope(lease.user_id)]), keyScope(lease.key_id)];
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
