/**
 * What the catalogue's object does by itself: what is live goes to who follows it, and what was retired long ago goes.
 *
 * - A tenant that can't be given what is live is asked again after growing pauses, and is shown as behind until then; it
 *   keeps what it has.
 * - What was rolled back from is granted to nobody of those who follow, from when they have been given what is live instead.
 * - A revision goes `KEEP_RETIRED_MS` after it was retired, unless a tenant uses it or a rollback would come to it. What
 *   is in use is looked at again a day later.
 */
import type { ModelId, RequestId, RevisionId } from "../../schema/contract/ids.ts";
import { sortableId } from "../../schema/contract/ids.ts";
import type { LendingDesk, Loan } from "../ledger/desks/lending-desk.ts";
import type { Follower, FollowerBook } from "../ledger/follower-book.ts";
import type { Result } from "../ledger/result.ts";
import type { Chore, Room } from "../ledger/room.ts";
import { authorityOf } from "../tenants/authority.ts";
import { TenantBlobs } from "../tenants/blobs.ts";
import { operatorCall } from "./catalog.ts";
import { type Receiver, give, manifestIn } from "./give.ts";
import { grantedBody } from "./resolve.ts";

export const KEEP_RETIRED_MS = 30 * 86_400_000;
const DAY_MS = 86_400_000;
/** While a run is under way: when the alarm takes it up again if the object has died. */
const WATCH_MS = 15_000;
const MAX_PAUSE_MS = 3_600_000;
const FOLLOWERS_AT_ONCE = 4;
const FOLLOWERS_A_RUN = 40;

interface Offer {
  readonly loan: Loan;
  readonly withdrawn: RevisionId | null;
}

export class Upkeep {
  readonly #room: Room;
  readonly #lending: LendingDesk;
  readonly #followers: FollowerBook;
  #giving = false;
  #removing = false;
  /** Retired revisions that were in use, and when to look at them again. */
  readonly #later = new Map<string, number>();

  constructor(room: Room, lending: LendingDesk, followers: FollowerBook) {
    this.#room = room;
    this.#lending = lending;
    this.#followers = followers;
  }

  get chores(): readonly Chore[] {
    return [
      { name: "followers", aside: true, nextAt: (now) => (this.#giving ? now + WATCH_MS : this.#followers.nextAt()), run: (now) => this.#giveAll(now) },
      { name: "retired revisions", aside: true, nextAt: (now) => (this.#removing ? now + WATCH_MS : this.#nextRemoval()), run: (now) => this.#removeRetired(now) },
    ];
  }

  async #giveAll(now: number): Promise<void> {
    const due = this.#giving ? [] : this.#followers.due(now, FOLLOWERS_A_RUN);
    if (due.length === 0) return;
    this.#giving = true;
    this.#room.arm(now + WATCH_MS);
    try {
      const work = async () => {
        for (let next = due.shift(); next; next = due.shift()) await this.#bring(next);
      };
      await Promise.all(Array.from({ length: FOLLOWERS_AT_ONCE }, work));
    } finally {
      this.#giving = false;
    }
  }

  /** Never throws. */
  async #bring(follower: Follower): Promise<void> {
    try {
      const offer = this.#offerFor(follower);
      if (offer) await this.#offer(follower, offer);
    } catch (cause) {
      this.#failed(follower, String(cause));
    }
  }

  /** null: it has what is live. The tenant is noted as a holder before it is asked. */
  #offerFor(follower: Follower): Offer | null {
    const { shelf } = this.#room;
    const { model, tenant, given, isDoubted } = follower;
    return this.#room.transact(() => {
      const live = shelf.live(model);
      if (!live) this.#followers.drop(tenant, model);
      else if (live.revision === given && !isDoubted) this.#followers.given(follower, given, given, Date.now());
      if (!live || (live.revision === given && !isDoubted)) return null;
      this.#lending.note(tenant, { model, revision: live.revision }, Date.now());
      const withdrawn = given !== null && shelf.rollouts.isWithdrawn(model, given) ? given : null;
      return { loan: { base: { model, revision: live.revision }, manifestSha256: live.manifestSha256, prices: live.facts.prices }, withdrawn };
    });
  }

  async #offer(follower: Follower, { loan, withdrawn }: Offer): Promise<void> {
    const { env } = this.#room;
    const { tenant, model } = follower;
    const receiver: Receiver = { tenant, object: authorityOf(env, tenant), call: operatorCall(tenant, `req_${sortableId(Date.now())}` as RequestId) };
    const { loans } = receiver.object;
    const askedAt = Date.now();
    const awaited = await loans.awaits(receiver.call, model);
    const hasIt = follower.given === loan.base.revision;
    const taken = awaited.ok && awaited.value && !hasIt ? await this.#give(follower, receiver, { loan, withdrawn }) : awaited;
    // It follows no more, or is gone.
    if (!taken.ok && taken.refusal.code === "not-found") this.#room.transact(() => this.#followers.dropAsked(follower));
    else if (taken.ok) this.#room.transact(() => this.#followers.given(follower, loan.base.revision, this.#room.shelf.live(model)?.revision ?? null, askedAt));
    else this.#failed(follower, taken.refusal.detail);
    // What the tenant does not have it does not hold.
    if (!(await loans.base(receiver.call, loan.base)).ok) this.#room.transact(() => this.#lending.unnote(tenant, loan.base));
  }

  async #give({ prices }: Follower, receiver: Receiver, { loan, withdrawn }: Offer): Promise<Result<null>> {
    const { env, self } = this.#room;
    const manifest = manifestIn(await TenantBlobs.for(self, env).getManifest(loan.base.model, loan.base.revision), loan.manifestSha256);
    if (!manifest) throw new Error("the catalogue's manifest can't be read");
    return give(env, receiver, loan, grantedBody(manifest, prices ?? loan.prices), (revision, sizes, admission) => receiver.object.loans.follow(receiver.call, loan, { revision, sizes, admission, withdrawn }));
  }

  #failed(follower: Follower, error: string): void {
    console.warn(JSON.stringify({ level: "warn", message: "a tenant could not be given what is live in the catalogue", tenant: follower.tenant, model: follower.model, error }));
    this.#room.transact(() => this.#followers.failed(follower, error.slice(0, 300), Date.now() + Math.min(MAX_PAUSE_MS, 2_000 * 2 ** Math.min(follower.attempts, 12))));
  }

  #nextRemoval(): number | null {
    const times = this.#retired().map(({ key, at }) => Math.max(at, this.#later.get(key) ?? 0));
    return times.length === 0 ? null : Math.min(...times);
  }

  /** When each may go at the earliest. */
  #retired(): { model: ModelId; revision: RevisionId; key: string; at: number }[] {
    return this.#room.shelf.rollouts.retired().map(({ model, revision, since }) => ({ model, revision, key: `${model} ${revision}`, at: since + KEEP_RETIRED_MS }));
  }

  async #removeRetired(now: number): Promise<void> {
    if (this.#removing) return;
    const due = this.#retired().filter(({ key, at }) => Math.max(at, this.#later.get(key) ?? 0) <= now);
    if (due.length === 0) return;
    this.#removing = true;
    this.#room.arm(now + WATCH_MS);
    try {
      for (const { model, revision, key } of due) {
        this.#later.set(key, now + DAY_MS);
        if (this.#room.shelf.rollouts.before(model, () => true)?.revision === revision) continue;
        const removed = await this.#lending.remove(operatorCall(this.#room.tenant, `req_${sortableId(Date.now())}` as RequestId), model, revision);
        if (removed.ok) this.#later.delete(key);
      }
    } finally {
      this.#removing = false;
    }
  }
}
