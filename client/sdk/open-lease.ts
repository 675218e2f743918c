/**
 * A lease from its grant to its final report.
 *
 * - It is settled once: later calls get the first one's answer.
 * - A report that finds no network is sent again for a while; one that never arrives costs the whole hold.
 * - A report that comes too late (`lease-expired`, `lease-settled`, `lease-revoked`) changes nothing and is an error.
 * - `abandon` is for a page that goes away: one last request that outlives it.
 */
import type { UsageReport } from "../../schema/contract/leases.ts";
import type { Backend } from "../../schema/contract/models.ts";
import type { HeldLease } from "./offline-record.ts";
import { clockOffsetMs } from "./prover.ts";
import { isTransient, withRetries } from "./retries.ts";

export interface Outcome {
  readonly outcome: "ok" | "error" | "aborted";
  readonly errorCode?: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** How many calls it tells of, where several share the lease. */
  readonly calls?: number;
  readonly latencyMs: number;
  readonly ttftMs?: number;
  readonly backend: Backend;
  readonly cache: "hit" | "miss";
}

/** Takes the one report of a lease; gives the tokens that it is charged in the end. */
export type TakeReport = (report: UsageReport) => Promise<{ readonly used: number }>;

export class OpenLease {
  readonly grant: HeldLease;
  readonly requestId: string;
  /** What a run that has begun will have cost, should the page go away in the middle. */
  runningTokens = 0;
  /** How many calls run, where several share the lease. */
  runningCalls = 0;
  /** What it has written by now. */
  runningOutput = 0;
  /** Of runs that are over and not reported yet: their report, which stands whatever becomes of the rest. */
  delivered: Outcome | null = null;
  readonly #take: TakeReport;
  readonly #backend: Backend;
  readonly #startedAt = performance.now();
  readonly #clockOffsetMs: number;
  #settled: Promise<{ readonly used: number }> | null = null;

  constructor(take: TakeReport, grant: HeldLease, requestId: string, backend: Backend) {
    this.#take = take;
    this.grant = grant;
    this.#clockOffsetMs = clockOffsetMs(grant.lease, Date.now()) ?? 0;
    this.requestId = requestId;
    this.#backend = backend;
  }

  /**
   * How long it lives still, by the control plane's clock: a device's own may be minutes off. One for working offline
   * came long ago, and never seems old: what ran on it is taken for a day after it has expired.
   */
  get livesMs(): number {
    return Date.parse(this.grant.expires_at) - (Date.now() + this.#clockOffsetMs);
  }

  get isSettled(): boolean {
    return this.#settled !== null;
  }

  settle(outcome: Outcome): Promise<{ readonly used: number }> {
    this.#settled ??= withRetries(() => this.#take(this.#report(outcome)), {
      delaysMs: [500, 2000, 5000],
      isWorthIt: isTransient,
    });
    return this.#settled;
  }

  /** Ends a download: it held no tokens and ran nothing. */
  finishDownload(): Promise<{ readonly used: number }> {
    return this.settle({ outcome: "ok", inputTokens: 0, outputTokens: 0, latencyMs: this.#elapsedMs(), backend: this.#backend, cache: "miss" });
  }

  /** Ends it where nothing whole was delivered; tokens only where a run had begun and was stopped, or had delivered some. */
  abandon(outcome: "error" | "aborted", errorCode?: string): Promise<{ readonly used: number }> {
    const isCharged = outcome === "aborted" || this.runningOutput > 0;
    if (this.delivered) {
      const { inputTokens, calls } = this.delivered;
      const [tokens, more] = isCharged ? [this.runningTokens, this.runningCalls] : [0, 0];
      return this.settle({ ...this.delivered, inputTokens: inputTokens + tokens, ...(calls !== undefined && { calls: calls + more }) });
    }
    return this.settle({
      outcome,
      errorCode,
      inputTokens: isCharged ? this.runningTokens : 0,
      ...(isCharged && this.runningCalls > 0 && { calls: this.runningCalls }),
      outputTokens: isCharged ? this.runningOutput : 0,
      latencyMs: this.#elapsedMs(),
      backend: this.#backend,
      cache: "miss",
    });
  }

  #elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  #report(outcome: Outcome): UsageReport {
    const inputTokens = Math.min(outcome.inputTokens, this.grant.hold);
    return {
      seq: 0,
      request_id: this.requestId as UsageReport["request_id"],
      input_tokens: inputTokens,
      output_tokens: Math.min(outcome.outputTokens, this.grant.hold - inputTokens),
      calls: outcome.calls === undefined ? undefined : Math.min(outcome.calls, this.grant.calls),
      outcome: outcome.outcome,
      error_code: outcome.errorCode,
      latency_ms: milliseconds(outcome.latencyMs),
      ttft_ms: outcome.ttftMs === undefined ? undefined : milliseconds(outcome.ttftMs),
      backend: outcome.backend,
      cache: outcome.cache,
      final: true,
    };
  }
}

const DAY_MS = 86_400_000;
const milliseconds = (value: number) => Math.min(DAY_MS, Math.max(0, Math.round(value)));
