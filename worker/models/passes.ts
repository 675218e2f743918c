/**
 * The passes that this isolate holds: what a lease may be sent of its model without asking the tenant object again.
 *
 * - A request is decided here where a pass of its lease is live, knows the chunk and has its bytes left; otherwise by
 *   the object, which may draw the next pass.
 * - The lease's signature and times are verified on every request, before it comes here. Leases that are bound to a key
 *   hold no pass: the object takes each proof once.
 * - A pass is used for no longer than `PASS_MS` from when it was asked for, by this isolate's own clock: a lease that is
 *   revoked after that answer is refused a second later at the latest, whatever the object's clock says.
 * - The bytes of a pass are taken in one synchronous step, so that it is never overdrawn.
 */
import type { LeaseId, Sha256 } from "../../schema/contract/ids.ts";
import type { Balance } from "../../schema/contract/policy.ts";
import type { Delivered } from "../ledger/desks/model-desk.ts";
import { type DrawnPass, PASS_MS } from "../ledger/egress-passes.ts";
import type { Identity } from "../tenants/credential.ts";
import { type Conditions, bytesOf, decideDelivery } from "./range.ts";

/** What the object gives with a pass: all that a delivery needs to know. */
export interface Pass extends DrawnPass {
  readonly identity: Identity;
  /** Chunks of the revision that the lease pins, with their sizes. */
  readonly chunks: Readonly<Record<Sha256, number>>;
  /** Of these, those that are read from the operator's catalogue. */
  readonly lent: readonly Sha256[];
  readonly egress: Balance;
}

const MAX_PASSES = 500;

export class Passes {
  readonly #held = new Map<LeaseId, { readonly pass: Pass; readonly lent: ReadonlySet<Sha256>; readonly until: number; used: number }>();
  readonly #asking = new Map<LeaseId, Promise<unknown>>();

  /**
   * Decides by a pass, or asks. Requests of one lease that come at once wait for the first: it may bring a pass.
   * `keep` is called for each new pass, with what settles it.
   */
  async decide(lease: LeaseId, digest: Sha256, conditions: Conditions, ask: () => Promise<Delivered>, keep: (pass: Pass, used: () => number) => void): Promise<Delivered> {
    await this.#asking.get(lease);
    const known = this.#use(lease, digest, conditions);
    if (known) return known;
    const askedAt = Date.now();
    const asked = ask();
    const settled = asked.then(
      ({ pass }) => pass && this.#hold(lease, pass, Math.min(pass.until, askedAt + PASS_MS), keep),
      () => undefined, // the caller hears of it from `asked`
    );
    this.#asking.set(lease, settled);
    try {
      return await asked;
    } finally {
      if (this.#asking.get(lease) === settled) this.#asking.delete(lease);
    }
  }

  #use(lease: LeaseId, digest: Sha256, conditions: Conditions): Delivered | null {
    const held = this.#held.get(lease);
    if (!held || held.until <= Date.now()) return null;
    const { pass } = held;
    const size = pass.chunks[digest];
    if (size === undefined) return null;
    const delivery = decideDelivery(conditions, `"${digest}"`, size);
    const bytes = conditions.method === "HEAD" ? 0 : bytesOf(delivery, size);
    if (held.used + bytes > pass.bytes) return null;
    held.used += bytes;
    return { identity: pass.identity, size, delivery, egress: pass.egress, pass: null, from: held.lent.has(digest) ? "catalog" : "own" };
  }

  #hold(lease: LeaseId, pass: Pass, until: number, keep: (pass: Pass, used: () => number) => void): void {
    const held = { pass, lent: new Set(pass.lent), until, used: 0 };
    this.#held.delete(lease);
    if (this.#held.size >= MAX_PASSES) this.#held.delete(this.#held.keys().next().value as LeaseId);
    this.#held.set(lease, held);
    keep(pass, () => {
      if (this.#held.get(lease) === held) this.#held.delete(lease);
      return held.used;
    });
  }
}
