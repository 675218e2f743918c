/**
 * Asks for leases in the name of one publishable key and user, and keeps count of the open ones.
 *
 * - The newest grant's content key opens what is cached.
 * - Every grant's quota goes to `onQuota`; so does what comes back when less than the hold was used.
 * - No lease is left open on purpose: whoever asked settles it, or `abandonAll` does when the page goes away.
 * - A report that failed for good goes to `onReportFailed`: the result stands, but the hold is charged in full.
 */
import type { Metadata } from "../../schema/contract/leases.ts";
import type { Backend } from "../../schema/contract/models.ts";
import type { Quota } from "../../schema/contract/policy.ts";
import { importContentKey } from "../cache/seal.ts";
import { LeaseholdError } from "../errors.ts";
import { asLeaseholdError } from "./as-error.ts";
import type { ControlPlane } from "./control-plane.ts";
import { OpenLease, type Outcome } from "./open-lease.ts";
import { withRefusal, withReturned } from "./quota.ts";

export interface DeskOptions {
  readonly api: ControlPlane;
  readonly publishableKey: string;
  readonly user: string | undefined;
  readonly userSignature?: string | undefined;
  readonly metadata: Metadata | undefined;
  /** What a report says where nothing has run yet. */
  readonly likelyBackend: Backend;
  readonly onQuota: (quota: Quota) => void;
  readonly onReportFailed: (error: LeaseholdError) => void;
}

export interface LeaseWish {
  readonly model: string;
  /** Tokens to hold; none for a download. */
  readonly tokens?: number;
  readonly requestId: string;
  readonly signal?: AbortSignal;
}

/** A call waits this long for its report to arrive; after that it arrives behind the call's back. */
const REPORT_PATIENCE_MS = 2000;

export class LeaseDesk {
  readonly #options: DeskOptions;
  readonly #open = new Set<OpenLease>();
  #quota: Quota | null = null;
  #contentKeyText: string | null = null;
  #contentKey: Promise<CryptoKey> | null = null;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  get quota(): Quota | null {
    return this.#quota;
  }

  get hasContentKey(): boolean {
    return this.#contentKeyText !== null;
  }

  /** The tenant's content key, as the newest grant brought it. */
  contentKey(): Promise<CryptoKey> {
    if (this.#contentKeyText === null) throw new Error("no grant has come yet");
    this.#contentKey ??= importContentKey(this.#contentKeyText);
    return this.#contentKey;
  }

  async ask({ model, tokens, requestId, signal }: LeaseWish): Promise<OpenLease> {
    const { api, publishableKey, user, userSignature, metadata, likelyBackend } = this.#options;
    const purpose = tokens === undefined ? "download" : "inference";
    const grant = await api.createLease(publishableKey, { model, purpose, tokens, user, user_signature: userSignature, request_id: requestId, metadata }, signal).catch((error: unknown) => {
      this.#noteRefusal(error);
      throw error;
    });
    this.#note(grant.quota);
    if (this.#contentKeyText !== grant.content_key) [this.#contentKeyText, this.#contentKey] = [grant.content_key, null];
    const lease = new OpenLease(api, grant, requestId, likelyBackend);
    this.#open.add(lease);
    return lease;
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
