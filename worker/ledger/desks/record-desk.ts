/**
 * The way of the records to D1: sent by the alarm, and on request before somebody reads them. Where D1 does not take
 * them, the lag board hears of it, and again when it has them all.
 */
import type { PriceFloor } from "../../../schema/contract/prices.ts";
import type { RecordsResent } from "../../../schema/contract/records.ts";
import type { Identity } from "../../tenants/credential.ts";
import { type DayKey, FIRST_KEY, type UsageDailyRow } from "../../tenants/usage-rows.ts";
import { lagBoard } from "../../metrics/lag-board.ts";
import { within } from "../../within.ts";
import { type DayName, dayAt } from "../calendar.ts";
import { readConfig } from "../config.ts";
import { type Lag, Outbox } from "../outbox.ts";
import type { Waiting } from "../outbox-ring.ts";
import { type Result, done } from "../result.ts";
import { type Call, type Chore, type Room, identityOf } from "../room.ts";

/** Of what is sent again: events, and sums, in one statement. */
const BATCH = 200;
const DAYS = 1_000;
const D1_TIMEOUT_MS = 10_000;
const RETRY_MS = [2_000, 5_000, 15_000, 60_000] as const;

export class RecordDesk {
  readonly #room: Room;
  readonly #outbox: Outbox;
  #failures = 0;
  /** Whether the board may have us as behind: it has, for all that an object knows that wakes up with something to send. */
  #onBoard: boolean;

  constructor(room: Room) {
    this.#room = room;
    this.#outbox = new Outbox({ ring: room.ring, rollups: room.rollups, transact: (work) => room.transact(work) }, room.records);
    this.#onBoard = room.ring.size > 0;
  }

  /** Sends what D1 does not have yet; answers how much is left and why, and which day and price floor the tenant has. */
  async flush(call: Call): Promise<Result<{ identity: Identity; lag: Lag; today: DayName; priceFloor: PriceFloor | null }>> {
    const verified = this.#room.as(call, (who, now) => {
      const { policy, profile } = readConfig(this.#room.store);
      return done({ identity: identityOf(who), today: dayAt(now, policy.time_zone), priceFloor: profile.priceFloor });
    });
    return verified.ok ? done({ ...verified.value, lag: await this.#outbox.flush() }) : verified;
  }

  /**
   * Sends D1 again all that the ledger still has of what it has sent: for a D1 that was lost, or restored from a copy.
   * What is there stays as it is. The profile comes with the event that tells of it; metrics, with their next change.
   */
  async resend(call: Call): Promise<Result<RecordsResent>> {
    const room = this.#room;
    const { ring, rollups, records } = room;
    const noted = room.as(call, (who, now) => {
      rollups.fold();
      room.log(now, { action: "RECORDS_RESENT", actor: who.actor, requestId: call.requestId, details: {} }, true);
      return done(null);
    });
    if (!noted.ok) return noted;
    const newest = ring.newest.seq;
    let [events, from, days] = [0, newest, 0];
    for (let seq = ring.oldest - 1; seq < newest; ) {
      const batch = ring.after(seq, BATCH).filter(({ record }) => record.event.seq <= newest);
      const last = batch.at(-1);
      // Where D1 was away for long, events were kept beside the ring and are gone from there.
      seq = last?.record.event.seq ?? seq + BATCH;
      if (!last) continue;
      await within(D1_TIMEOUT_MS, "D1", records.project(batch, []));
      [events, from] = [events + batch.length, Math.min(from, (batch[0] as Waiting).record.event.seq)];
    }
    for (let after: DayKey | undefined = FIRST_KEY; after; ) {
      const sums = rollups.between(after, null, DAYS);
      if (sums.length > 0) await within(D1_TIMEOUT_MS, "D1", records.project([], sums));
      days += sums.length;
      after = sums.length < DAYS ? undefined : sums.at(-1);
    }
    return done({ events, from_seq: from, days });
  }

  /** The ledger's own sums, to hold D1's against. */
  sums(call: Call, after: DayKey, upTo: DayKey | null, limit: number): Result<{ rows: UsageDailyRow[]; sent: number; newest: number }> {
    const { rollups, ring } = this.#room;
    return this.#room.as(call, () => {
      rollups.fold();
      return done({ rows: rollups.between(after, upTo, limit), sent: ring.sent.seq, newest: ring.newest.seq });
    });
  }

  /** Days whose postings in the windows are not the sums of the day. */
  unlikePostings(call: Call): Result<string[]> {
    const { rollups } = this.#room;
    return this.#room.as(call, () => {
      rollups.fold();
      return done(rollups.unlikePostings());
    });
  }

  get chore(): Chore {
    return {
      name: "records",
      nextAt: (now) => (this.#outbox.size > 0 ? now + (RETRY_MS[Math.min(this.#failures, RETRY_MS.length) - 1] ?? RETRY_MS[0]) : null),
      run: async () => {
        const { error } = await this.#outbox.flush();
        this.#failures = error === null ? 0 : this.#failures + 1;
        await this.#tellBoard(error !== null);
      },
    };
  }

  async #tellBoard(failed: boolean): Promise<void> {
    const { tenant, env, ring } = this.#room;
    const [oldest] = failed ? ring.waiting(1) : [];
    if (oldest) {
      this.#onBoard = true;
      await lagBoard(env).isBehind({ tenant, events: ring.size, since: oldest.record.event.at });
    } else if (this.#onBoard) {
      await lagBoard(env).hasCaughtUp(tenant);
      this.#onBoard = false;
    }
  }
}
