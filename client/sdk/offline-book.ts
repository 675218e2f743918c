/**
 * The offline leases of one tenant in this browser, kept in IndexedDB so that a page that is loaded without a network
 * goes on with them.
 *
 * - Every change is one transaction: two tabs never use the same tokens.
 * - `send` sends what is queued, in order, from one tab at a time; what finds no network stays for later. A report that
 *   the control plane refuses for good is told and dropped with its lease.
 * - What a run used of a lease whose end has been acknowledged can't be reported any more: `enter` is `lease-settled` then.
 * - A lease whose time is over is ended by the next `send`: what was not used of it comes back.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { LeaseGranted, LeaseState, UsageReport } from "../../schema/contract/leases.ts";
import { LeaseholdError } from "../errors.ts";
import { asLeaseholdError } from "./as-error.ts";
import { type Drawer, openDrawer } from "./drawer.ts";
import { acknowledge, end, enter, type HeldLease, isRunnable, type OfflineRecord, recordOf, take, tokensLeft } from "./offline-record.ts";
import { newRequestId } from "./request-id.ts";
import { isTransient } from "./retries.ts";

/** What an offline lease still allows. */
export interface OfflineLease {
  readonly lease_id: string;
  readonly model: string;
  readonly tokens: number;
  readonly expires_at: string;
  /** Reports that wait for a network. */
  readonly unsent: number;
}

export type SendReport = (grant: HeldLease, report: UsageReport) => Promise<LeaseState>;

export class OfflineBook {
  readonly #tenant: string;
  #drawer: Promise<Drawer> | null = null;

  constructor(tenant: string) {
    this.#tenant = tenant;
  }

  async keep(grant: LeaseGranted, contentKey: CryptoKey): Promise<void> {
    await (await this.#open()).put("offline", recordOf(grant, contentKey));
  }

  async list(): Promise<OfflineLease[]> {
    const records = await this.#records();
    return records
      .filter((record) => isRunnable(record, Date.now()))
      .map((record) => ({ lease_id: record.lease_id, model: record.model, tokens: tokensLeft(record), expires_at: record.grant.expires_at, unsent: record.queue.length }));
  }

  /** The digests of the manifests that leases are for which still run. */
  async manifests(): Promise<Sha256[]> {
    return (await this.#records()).filter((record) => isRunnable(record, Date.now())).map(({ grant }) => grant.model.manifest_sha256);
  }

  /** A lease with that many tokens left, and the tokens taken; null where there is none. */
  async take(model: string, tokens: number): Promise<OfflineRecord | null> {
    for (const { lease_id, model: its } of await this.#records()) {
      if (its !== model) continue;
      const taken = await this.#change(lease_id, (record) => take(record, tokens, Date.now()) ?? record);
      if (taken && taken.after !== taken.before) return taken.after;
    }
    return null;
  }

  /** The key that opens what is cached of the model, where a lease allows it offline. */
  async contentKey(model: string): Promise<CryptoKey | null> {
    return (await this.#records()).find((record) => record.model === model && isRunnable(record, Date.now()))?.contentKey ?? null;
  }

  async enter(leaseId: string, taken: number, report: UsageReport): Promise<void> {
    const entered = await this.#change(leaseId, (record) => enter(record, taken, report));
    if (!entered && report.input_tokens + report.output_tokens > 0) throw new LeaseholdError("lease-settled", "The offline lease had ended before this call did: what it used can't be reported.");
  }

  /** Ends all leases of a model. */
  async end(model: string): Promise<void> {
    for (const { lease_id, model: its } of await this.#records()) if (its === model) await this.#end(lease_id);
  }

  /** Gives the refusals. */
  async send(report: SendReport): Promise<LeaseholdError[]> {
    const work = async () => {
      const refusals: LeaseholdError[] = [];
      for (const record of await this.#records()) {
        if (!isRunnable(record, Date.now())) await this.#end(record.lease_id);
        const refusal = await this.#sendOf(record.lease_id, report);
        if (refusal) refusals.push(refusal);
      }
      return refusals;
    };
    return "locks" in navigator ? navigator.locks.request(`leasehold-desk/${this.#tenant}/reports`, work) : work();
  }

  close(): void {
    void this.#drawer?.then((drawer) => drawer.close(), () => undefined); // one that never opened has nothing to close
  }

  async #sendOf(leaseId: string, report: SendReport): Promise<LeaseholdError | null> {
    for (;;) {
      const record = (await this.#records()).find(({ lease_id }) => lease_id === leaseId);
      const next = record?.queue[0];
      if (!record || !next) return null;
      try {
        await report(record.grant, next);
        await this.#change(leaseId, (now) => acknowledge(now, next.seq));
      } catch (thrown) {
        const error = asLeaseholdError(thrown);
        if (isTransient(error)) return null;
        await this.#change(leaseId, () => null);
        return error;
      }
    }
  }

  async #end(leaseId: string): Promise<void> {
    await this.#change(leaseId, (record) => end(record, newRequestId() as UsageReport["request_id"]));
  }

  /** Where nothing can be kept there is nothing. */
  async #records(): Promise<OfflineRecord[]> {
    const drawer = await this.#open().catch(() => null);
    return drawer ? drawer.getAll("offline") : [];
  }

  async #change(leaseId: string, how: (record: OfflineRecord) => OfflineRecord | null): Promise<{ before: OfflineRecord; after: OfflineRecord | null } | null> {
    const change = (await this.#open()).transaction("offline", "readwrite");
    const before = await change.store.get(leaseId);
    const after = before ? how(before) : null;
    if (after && after !== before) await change.store.put(after);
    if (before && !after) await change.store.delete(leaseId);
    await change.done;
    return before ? { before, after } : null;
  }

  #open(): Promise<Drawer> {
    this.#drawer ??= openDrawer(this.#tenant);
    return this.#drawer;
  }
}
