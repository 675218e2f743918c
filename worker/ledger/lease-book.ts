/**
 * The leases of one tenant: grant, report, settle, expire, revoke. Each method runs inside the object's transaction.
 *
 * - A lease resolves once: `settled`, `expired` or `revoked`. Usage never exceeds the hold.
 * - An active lease holds `hold − reported`; a lease that is never reported costs its whole hold.
 * - Expiry is decided at read: whoever comes first after `reports_until` books it, the alarm at the latest. That is the
 *   lease's end, and for an offline lease the end of its grace time; between the two it may be reported, and nothing else.
 */
import { toTimestamp } from "../../schema/contract/amounts.ts";
import { type LeaseId, type TenantId, sortableId } from "../../schema/contract/ids.ts";
import type { LeaseState, UsageReport } from "../../schema/contract/leases.ts";
import type { Prices } from "../../schema/contract/models.ts";
import type { BookKeeper } from "./books.ts";
import { type Change, endCharge, grantChange, reportCharge } from "./charges.ts";
import type { Journal } from "./journal.ts";
import { COLUMNS, type LeaseRow, accountOf, costOf, placeOf, scopesOf, toLeaseState } from "./lease-row.ts";
import { MINUTE_SECONDS } from "./minute.ts";
import type { Mirrors } from "./mirrors.ts";
import { callNamed, canonicalJson } from "./audit-chain.ts";
import { type Result, done, refuse } from "./result.ts";
import type { Store } from "./store.ts";

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
  /** Calls that `nanos` has the price of. */
  readonly calls: number;
  readonly ttlSeconds: number;
  /** How long after its end the lease may still be reported; 0 but for an offline one. */
  readonly graceSeconds: number;
}

type Ending = "expired" | "revoked";
const SWEEP_LIMIT = 500;
/** Before the final one. A report may name no tokens, and is rows and an event all the same: no holder may write them without end. */
export const MOST_REPORTS = 10_000;
/** How many leases a woken object may have to look through that were resolved long ago. */
const FLOOR_STEP = 5_000;

export class LeaseBook {
  readonly #store: Store;
  readonly #books: BookKeeper;
  readonly #journal: Journal;
  readonly #mirrors: Mirrors;
  readonly #tenant: TenantId;
  readonly #floorStep: number;
  /** Every lease whose id has an earlier instant is resolved. */
  #floor = 0;
  #opened = 0;

  constructor(tenant: TenantId, store: Store, books: BookKeeper, journal: Journal, mirrors: Mirrors, floorStep = FLOOR_STEP) {
    this.#tenant = tenant;
    this.#store = store;
    this.#books = books;
    this.#journal = journal;
    this.#mirrors = mirrors;
    this.#floorStep = floorStep;
  }

  /** Reads anew what is mirrored in memory, from the leases that may be unresolved or of the last minute. */
  fillMirrors(now: number): void {
    this.#mirrors.clear();
    this.#floor = this.#store.first<{ at: number }>("SELECT at FROM lease_floor WHERE id = 1")?.at ?? 0;
    const minuteBegan = now - (MINUTE_SECONDS + 1) * 1000;
    const from = this.#idAt(Math.min(this.#floor, minuteBegan));
    let seen = 0;
    for (const lease of this.#store.each<LeaseRow>(`SELECT ${COLUMNS} FROM leases WHERE id >= ?`, from)) {
      seen += 1;
      const isUnresolved = lease.state === "active";
      if (isUnresolved) {
        this.#enter(lease);
        this.#mirrors.holds.change(scopesOf(lease), lease.day, lease.hold - lease.reported, lease.hold_nanos - lease.cost_nanos);
      }
      if (lease.created_at >= minuteBegan) this.#mirrors.admit(lease.key_id, lease.created_at, isUnresolved ? lease.hold - lease.reported : 0, lease.charged);
    }
    if (seen > this.#floorStep) this.#raiseFloor(now);
  }

  /** Writes the lease and its hold. The caller has decided that it may be. */
  open(ask: NewLease, now: number): LeaseRow {
    const expiresAt = expiryOf(now, ask.ttlSeconds);
    const reportsUntil = expiresAt + ask.graceSeconds * 1000;
    const id = `ls_${this.#tenant}_${sortableId(reportsUntil)}` as LeaseId;
    const lease: LeaseRow = {
      id, state: "active", purpose: ask.purpose, key_id: ask.keyId, user_id: ask.user, model: ask.model, revision: ask.revision,
      manifest_sha256: ask.manifestSha256, prices: JSON.stringify(ask.prices), request_id: ask.requestId, metadata: JSON.stringify(ask.metadata), day: ask.day,
      hold: ask.tokens, hold_nanos: ask.nanos, hold_calls: ask.calls, reported: 0, charged: 0, cost_nanos: 0, calls: 0, reports: 0,
      created_at: now, expires_at: expiresAt, reports_until: reportsUntil, resolved_at: null,
    };
    this.#store.run(
      `INSERT INTO leases (id, state, purpose, key_id, user_id, model, revision, manifest_sha256, prices, request_id, metadata, day, hold, hold_nanos, hold_calls, created_at, expires_at, reports_until)
       VALUES (?, 'active', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      id, lease.purpose, lease.key_id, lease.user_id, lease.model, lease.revision, lease.manifest_sha256, lease.prices, lease.request_id,
      lease.metadata, lease.day, lease.hold, lease.hold_nanos, lease.hold_calls, now, expiresAt, reportsUntil,
    );
    this.#enter(lease);
    this.#post(lease, grantChange(ask.tokens, ask.nanos));
    this.#mirrors.admit(ask.keyId, now, ask.tokens);
    this.#opened += 1;
    // A clock that went back may put a lease under the floor.
    if (this.#opened >= this.#floorStep || reportsUntil < this.#floor) this.#raiseFloor(now);
    return lease;
  }

  find(id: string): LeaseRow | null {
    return this.#store.first<LeaseRow>(`SELECT ${COLUMNS} FROM leases WHERE id = ?`, id);
  }

  /** Books every lease whose time has passed. */
  sweep(now: number): void {
    const { due } = this.#mirrors;
    while (due.soonest !== null && due.soonest <= now) {
      const leases = this.#store.all<LeaseRow>(
        `SELECT ${COLUMNS} FROM leases WHERE id >= ? AND id < ? AND state = 'active' AND reports_until <= ? LIMIT ?`,
        this.#firstUnresolved(), this.#idAt(now + 1), now, SWEEP_LIMIT,
      );
      if (leases.length === 0) throw new Error("a lease is due that the table does not have");
      for (const lease of leases) this.#end(lease, "expired", now, "system", null);
    }
  }

  /** Ends every active lease at once. */
  revokeAll(now: number, actor: string, requestId: string): void {
    for (const lease of this.#unresolved()) this.#end(lease, "revoked", now, actor, requestId);
  }

  /** Ends every active lease that `which` says, and gives how many. */
  revokeWhere(which: (lease: LeaseRow) => boolean, now: number, actor: string, requestId: string): number {
    const leases = this.#unresolved().filter(which);
    for (const lease of leases) this.#end(lease, "revoked", now, actor, requestId);
    return leases.length;
  }

  /** Whether a lease that is not over is for this revision. */
  isPinned(model: string, revision: string): boolean {
    return this.#store.first("SELECT 1 AS one FROM leases WHERE id >= ? AND state = 'active' AND model = ? AND revision = ? LIMIT 1", this.#firstUnresolved(), model, revision) !== null;
  }

  nextExpiry(): number | null {
    return this.#mirrors.due.soonest;
  }

  #unresolved(): LeaseRow[] {
    return this.#store.all<LeaseRow>(`SELECT ${COLUMNS} FROM leases WHERE id >= ? AND state = 'active'`, this.#firstUnresolved());
  }

  #firstUnresolved(): string {
    return this.#idAt(this.#mirrors.places.soonest ?? Number.MAX_SAFE_INTEGER);
  }

  /** The least id of an instant. */
  #idAt(at: number): string {
    return `ls_${this.#tenant}_${sortableId(Math.max(0, at), (bytes) => bytes.fill(0))}`;
  }

  /** Notes from where on a woken object has to look for unresolved leases. */
  #raiseFloor(now: number): void {
    this.#opened = 0;
    this.#floor = Math.min(now, this.#mirrors.places.soonest ?? now);
    this.#store.run("INSERT INTO lease_floor (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at", this.#floor);
  }

  /** The lease is unresolved from here on. */
  #enter(lease: LeaseRow): void {
    this.#mirrors.due.add(lease.reports_until);
    this.#mirrors.places.add(placeOf(lease));
    if (lease.hold > 0) this.#mirrors.begin(lease.key_id, lease.expires_at);
  }

  /** The lease is resolved. */
  #leave(lease: LeaseRow): void {
    this.#mirrors.due.remove(lease.reports_until);
    this.#mirrors.places.remove(placeOf(lease));
    if (lease.hold > 0) this.#mirrors.end(lease.key_id, lease.expires_at);
  }

  /** Takes one usage report, in the call `requestId`. The same `seq` with the same body answers as before; nothing is charged twice. */
  report(lease: LeaseRow, report: UsageReport, actor: string, now: number, requestId: string | null = null): Result<LeaseState> {
    const body = canonicalJson(report);
    const before = this.#store.first<{ body: string; answer: string }>("SELECT body, answer FROM reports WHERE lease_id = ? AND seq = ?", lease.id, report.seq);
    if (before) {
      return before.body === body ? done(JSON.parse(before.answer) as LeaseState) : refuse("conflict", `Report ${report.seq} of this lease was another one. Number each report anew.`);
    }
    if (lease.state === "settled") return refuse("lease-settled", "This lease is settled: it takes no further reports.");
    if (lease.state === "expired") return refuse("lease-expired", `This lease was to be reported until ${toTimestamp(lease.reports_until)}, and its whole hold was charged. Ask for a new one, and report in time.`);
    if (lease.state === "revoked") return refuse("lease-revoked", "This lease was revoked and its whole hold was charged.");
    if (lease.reports >= MOST_REPORTS && !report.final) return refuse("conflict", `This lease has taken ${MOST_REPORTS} reports: it takes one more, the final one. Settle it, and ask for a new lease.`);
    const used = report.input_tokens + report.output_tokens;
    const left = lease.hold - lease.reported;
    if (used > left) return refuse("usage-exceeds-hold", `The report names ${used} tokens; ${left} of the hold are left. Nothing was charged for it.`, { limit: lease.hold, remaining: left });
    const callsLeft = accountOf(lease).holdCalls - lease.calls;
    if ((report.calls ?? 0) > callsLeft) return refuse("usage-exceeds-hold", `The report names ${report.calls} calls; ${callsLeft} of those held are left. Nothing was charged for it.`, { limit: lease.hold_calls, remaining: callsLeft });
    this.#charge(lease, report, actor, now, requestId);
    const answer = toLeaseState(this.find(lease.id) as LeaseRow);
    this.#store.run("INSERT INTO reports (lease_id, seq, body, answer) VALUES (?, ?, ?, ?)", lease.id, report.seq, body, JSON.stringify(answer));
    return done(answer);
  }

  /** A download holds nothing and posts nothing: no window has a row for it. */
  #post(lease: LeaseRow, change: Change): void {
    this.#books.post(scopesOf(lease), lease.day, change);
  }

  #charge(lease: LeaseRow, report: UsageReport, actor: string, now: number, requestId: string | null): void {
    const usage = { inputTokens: report.input_tokens, outputTokens: report.output_tokens, calls: report.calls ?? null, ran: report.outcome === "ok", final: report.final };
    const { change, tokens, costNanos, calls, refund } = reportCharge(accountOf(lease), usage);
    this.#post(lease, change);
    this.#mirrors.resolve(lease.key_id, lease.created_at, -change.held, change.posted);
    this.#store.run(
      `UPDATE leases SET reported = reported + ?, charged = charged + ?, cost_nanos = cost_nanos + ?, calls = calls + ?, reports = reports + 1, state = ?, resolved_at = ? WHERE id = ?`,
      tokens, tokens, costNanos, calls, report.final ? "settled" : "active", report.final ? now : null, lease.id,
    );
    if (report.final) this.#leave(lease);
    if (lease.purpose === "download") return;
    const details = {
      lease_id: lease.id, revision: lease.revision, seq: report.seq, input_tokens: report.input_tokens, output_tokens: report.output_tokens, calls: report.calls,
      cost_nanos: costNanos, outcome: report.outcome, error_code: report.error_code, latency_ms: report.latency_ms, ttft_ms: report.ttft_ms,
      backend: report.backend, cache: report.cache, final: report.final, refunded_tokens: refund, metadata: JSON.parse(lease.metadata) as unknown,
      ...callNamed(requestId, report.request_id),
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
    this.#mirrors.resolve(lease.key_id, lease.created_at, -change.held, change.posted);
    this.#store.run(
      "UPDATE leases SET state = ?, charged = charged + ?, cost_nanos = cost_nanos + ?, calls = calls + ?, resolved_at = ? WHERE id = ?",
      ending, tokens, costNanos, calls, ending === "expired" ? lease.reports_until : now, lease.id,
    );
    this.#leave(lease);
    if (lease.purpose === "download") return;
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
