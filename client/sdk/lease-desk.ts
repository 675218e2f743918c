/**
 * Asks for leases in the name of one publishable key and user, and keeps count of the open ones.
 *
 * - The newest grant's content key opens what is cached.
 * - Every grant's quota goes to `onQuota`; so does what comes back when less than the hold was used.
 * - Without a network an inference runs on what an offline lease has left, where the page has one (`goOffline`).
 * - No lease is left open on purpose: whoever asked settles it, or `abandonAll` does when the page goes away. One that is
 *   granted when whoever asked has given up goes back: the hold of a lease that nobody knows of is charged in full.
 * - A report that failed for good goes to `onReportFailed`: the result stands, but the hold is charged in full.
 */
import type { LeaseGranted, Metadata, UsageReport } from "../../schema/contract/leases.ts";
import type { Backend } from "../../schema/contract/models.ts";
import type { Quota } from "../../schema/contract/policy.ts";
import { importContentKey } from "../cache/seal.ts";
import { LeaseholdError } from "../errors.ts";
import { timed } from "../timing.ts";
import { asLeaseholdError } from "./as-error.ts";
import type { ControlPlane, LeaseAsk } from "./control-plane.ts";
import type { OfflineBook } from "./offline-book.ts";
import { OpenLease, type Outcome } from "./open-lease.ts";
import { withRefusal, withReturned } from "./quota.ts";
import { newRequestId } from "./request-id.ts";
import { unlessStopped } from "./unless-stopped.ts";

export interface DeskOptions {
  readonly api: ControlPlane;
  readonly publishableKey: string;
  readonly user: string | undefined;
  readonly userSignature?: string | undefined;
  readonly metadata: Metadata | undefined;
  /** What a report says where nothing has run yet. */
  readonly likelyBackend: Backend;
  readonly offline: OfflineBook;
  readonly onQuota: (quota: Quota) => void;
  readonly onReportFailed: (error: LeaseholdError) => void;
}

export interface OfflineWish {
  readonly model: string;
  readonly tokens: number;
  /** Calls that may be made of them; as many as there are tokens, up to a thousand, where it isn't given. */
  readonly calls?: number | undefined;
  /** How long it lives; a day where it isn't given. */
  readonly ttlSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface LeaseWish {
  readonly model: string;
  /** Tokens to hold; none for a download. */
  readonly tokens?: number;
  /** Calls that share the lease; one where it isn't given. */
  readonly calls?: number | undefined;
  /** The revision that is ready here, or on its way; without it the lease is for the one in force. */
  readonly revision?: string | undefined;
  readonly requestId: string;
  readonly signal?: AbortSignal;
}

/** A lease to run on without a network is for so many calls, unless more or fewer are asked for. */
const OFFLINE_CALLS = 1000;
/** A call waits this long for its report to arrive; after that it arrives behind the call's back. */
const REPORT_PATIENCE_MS = 2000;
const GIVEN_UP = new LeaseholdError("aborted", "Stopped before the lease was granted.");

export class LeaseDesk {
  readonly #options: DeskOptions;
  readonly #open = new Set<OpenLease>();
  #quota: Quota | null = null;
  #content: { readonly text: string | null; readonly key: () => Promise<CryptoKey> } | null = null;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  get quota(): Quota | null {
    return this.#quota;
  }

  get hasContentKey(): boolean {
    return this.#content !== null;
  }

  /** The tenant's content key, as the newest grant brought it. */
  contentKey(): Promise<CryptoKey> {
    if (!this.#content) throw new Error("no grant has come yet");
    return this.#content.key();
  }

  ask(wish: LeaseWish): Promise<OpenLease> {
    return unlessStopped(() => this.#lease(wish), wish.signal, (late) => this.abandon(late, GIVEN_UP));
  }

  async #lease(wish: LeaseWish): Promise<OpenLease> {
    const { api, likelyBackend } = this.#options;
    const { model, tokens, calls, revision, requestId } = wish;
    try {
      const grant = await this.#grant({ model, purpose: tokens === undefined ? "download" : "inference", tokens, calls, revision, request_id: requestId });
      return this.#opened(new OpenLease((report) => api.reportUsage(grant, report), grant, requestId, likelyBackend));
    } catch (error) {
      const held = error instanceof LeaseholdError && error.code === "network-failed" ? await this.#offline(wish) : null;
      if (held) return this.#opened(held);
      throw error;
    }
  }

  /** A lease to run on without a network: so many tokens for so long. Its usage is reported when there is one again. */
  async goOffline({ model, tokens, calls = Math.min(tokens, OFFLINE_CALLS), ttlSeconds, signal }: OfflineWish): Promise<LeaseGranted> {
    const ask = () => this.#grant({ model, purpose: "inference", tokens, calls, request_id: newRequestId(), offline: true, ttl_s: ttlSeconds });
    const giveBack = (grant: LeaseGranted, why: LeaseholdError) => this.abandon(new OpenLease((report) => this.#options.api.reportUsage(grant, report), grant, newRequestId(), this.#options.likelyBackend), why);
    const grant = await unlessStopped(ask, signal, (late) => giveBack(late, GIVEN_UP));
    try {
      await this.#options.offline.keep(grant, await this.contentKey());
    } catch (cause) {
      const error = new LeaseholdError("storage-refused", "This browser keeps nothing for this page, so it can't work offline.", { cause });
      await giveBack(grant, error);
      throw error;
    }
    return grant;
  }

  /** Whether calls can run on this model, as it is here, without a network. */
  async isOffline(model: string): Promise<boolean> {
    return (await this.#options.offline.list()).some((lease) => lease.model === model);
  }

  /** Sends what offline leases have to report. Never rejects. */
  async sendReports(): Promise<void> {
    const { offline, api, onReportFailed } = this.#options;
    try {
      for (const refusal of await offline.send((grant, report) => api.reportUsage(grant, report))) onReportFailed(refusal);
    } catch (error) {
      onReportFailed(asLeaseholdError(error));
    }
  }

  /** Reports a success. Never rejects: what was delivered stays delivered. */
  async settle(lease: OpenLease, outcome: Outcome): Promise<void> {
    await this.#watch(lease, lease.settle(outcome));
  }

  async finishDownload(lease: OpenLease): Promise<void> {
    await this.#watch(lease, lease.finishDownload());
  }

  /** A lease that has expired by itself: there is nothing left to report. */
  forget(lease: OpenLease): void {
    this.#open.delete(lease);
  }

  /** Reports a failure or a stop, with the error's code. Never rejects. */
  async abandon(lease: OpenLease, error: LeaseholdError): Promise<void> {
    const isStop = error.code === "aborted";
    await this.#watch(lease, lease.abandon(isStop ? "aborted" : "error", isStop ? undefined : error.code));
  }

  /** Reports every open lease as aborted, in requests that outlive the page. */
  async abandonAll(): Promise<void> {
    await Promise.all([...this.#open].map((lease) => this.#watch(lease, lease.abandon("aborted"))));
  }

  async #watch(lease: OpenLease, report: Promise<{ used: number }>): Promise<void> {
    const isFirst = this.#open.delete(lease); // a page that was hidden and came back has reported already
    const done = report.then(
      ({ used }) => (isFirst ? this.#returned(lease.grant.hold - used) : undefined),
      (error: unknown) => this.#options.onReportFailed(asLeaseholdError(error)),
    );
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, REPORT_PATIENCE_MS);
    });
    await Promise.race([done, patience]);
    clearTimeout(timer);
  }

  async #grant(ask: LeaseAsk): Promise<LeaseGranted> {
    const { api, publishableKey, user, userSignature, metadata } = this.#options;
    const grant = await timed(`lease for ${ask.purpose}`, () => api.createLease(publishableKey, { ...ask, user, user_signature: userSignature, metadata })).catch((error: unknown) => {
      this.#noteRefusal(error);
      throw error;
    });
    this.#note(grant.quota);
    const text = grant.content_key;
    if (this.#content?.text !== text) {
      let key: Promise<CryptoKey> | undefined;
      this.#content = { text, key: () => (key ??= importContentKey(text)) };
    }
    return grant;
  }

  /** What an offline lease has left, for a run; for weights, which nobody sends now, the key to those that are here. */
  async #offline({ model, tokens, requestId }: LeaseWish): Promise<OpenLease | null> {
    const { offline, likelyBackend } = this.#options;
    const record = tokens === undefined ? null : await offline.take(model, tokens);
    const key = record?.contentKey ?? (await offline.contentKey(model));
    if (key && !this.#content) this.#content = { text: null, key: async () => key };
    if (!record || tokens === undefined) return null;
    const takeReport = async (report: UsageReport) => {
      await offline.enter(record.lease_id, tokens, report);
      void this.sendReports();
      return { used: report.input_tokens + report.output_tokens };
    };
    return new OpenLease(takeReport, { ...record.grant, hold: tokens, calls: 1 }, requestId, likelyBackend);
  }

  #opened(lease: OpenLease): OpenLease {
    this.#open.add(lease);
    return lease;
  }

  /** What a refusal tells of a limit is newer than the last grant: others use the same quota. */
  #noteRefusal(error: unknown): void {
    const quota = this.#quota && error instanceof LeaseholdError ? withRefusal(this.#quota, error) : null;
    if (quota) this.#note(quota);
  }

  #note(quota: Quota): void {
    this.#quota = quota;
    this.#options.onQuota(quota);
  }

  #returned(tokens: number): void {
    if (!this.#quota || tokens <= 0) return;
    this.#quota = withReturned(this.#quota, tokens);
    this.#options.onQuota(this.#quota);
  }
}
