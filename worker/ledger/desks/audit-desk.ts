/**
 * The audit chain's heads: what the chain ends with now, and what was signed of it and kept outside D1.
 *
 * - A head is signed after 1,000 events or a quarter of an hour, when the signing key has changed, and when a
 *   verification has passed. It stands in R2 before the object takes note of it: a crash between the two leaves one
 *   more head there, never a gap.
 */
import { type HeadKey, type HeadName, signHead, signingKey } from "../../audit/signed-head.ts";
import { settingsOf } from "../../env.ts";
import type { Identity } from "../../tenants/credential.ts";
import { TenantHeads } from "../../tenants/heads.ts";
import { within } from "../../within.ts";
import { type ChainHead, sha256Hex } from "../audit-chain.ts";
import type { Lag } from "../outbox.ts";
import { type Result, done } from "../result.ts";
import { type Call, type Chore, type Room, identityOf } from "../room.ts";
import type { Row } from "../store.ts";
import type { RecordDesk } from "./record-desk.ts";

const EVERY_EVENTS = 1_000;
const EVERY_MS = 15 * 60_000;
/** After a failure (R2 away): how long until the next attempt. */
const RETRY_MS = 60_000;
const R2_TIMEOUT_MS = 10_000;

/** What the object knows of its chain, to hold D1 and R2 against. */
export interface LiveChain {
  /** The last event that D1 has. */
  readonly sent: ChainHead;
  /** The last event of all. */
  readonly newest: ChainHead;
  /** The last head that was signed. */
  readonly signed: HeadName | null;
  /** Every key that signed one. */
  readonly keys: readonly HeadKey[];
}

interface SignedRow extends Row {
  seq: number;
  hash: string;
  at: number;
  kid: string;
  sha256: string;
}

export class AuditDesk {
  readonly #room: Room;
  readonly #records: RecordDesk;
  readonly #heads: TenantHeads;
  #signing: Promise<void> = Promise.resolve();
  #notBefore = 0;

  constructor(room: Room, records: RecordDesk) {
    this.#room = room;
    this.#records = records;
    this.#heads = TenantHeads.for(room.self, room.env);
  }

  /** Sends what D1 lacks, then says where the chain stands. */
  async chain(call: Call): Promise<Result<{ identity: Identity; lag: Lag; live: LiveChain }>> {
    const flushed = await this.#records.flush(call);
    if (!flushed.ok) return flushed;
    const { sent, newest } = this.#room.ring;
    return done({ identity: flushed.value.identity, lag: flushed.value.lag, live: { sent, newest, signed: this.#signed(), keys: this.#keys() } });
  }

  /** Signs the head as it is now, unless it is signed already; answers the name of the last signed one. */
  async sign(call: Call): Promise<Result<{ identity: Identity; signed: HeadName | null }>> {
    const verified = this.#room.as(call, (who) => done(identityOf(who)));
    if (!verified.ok) return verified;
    await this.#sign();
    return done({ identity: verified.value, signed: this.#signed() });
  }

  get chore(): Chore {
    return {
      name: "audit heads",
      nextAt: (now) => this.#dueAt(now),
      run: async (now) => {
        const due = this.#dueAt(now);
        if (due === null || due > now) return;
        this.#notBefore = now + RETRY_MS;
        await this.#sign();
        this.#notBefore = 0;
      },
    };
  }

  #dueAt(now: number): number | null {
    const signed = this.#signed();
    const events = this.#room.ring.newest.seq - (signed?.seq ?? 0);
    if (events === 0) return null;
    const atOnce = events >= EVERY_EVENTS || (signed !== null && signed.kid !== signingKey(settingsOf(this.#room.env)).kid);
    return Math.max(this.#notBefore, atOnce ? now : (signed?.at ?? 0) + EVERY_MS);
  }

  /** One after the other, so that each names the one before. */
  #sign(): Promise<void> {
    const next = this.#signing.then(() => this.#signNewest());
    // Whoever waits in line goes on after a failure; who asked for this one hears of it.
    this.#signing = next.catch(() => undefined);
    return next;
  }

  async #signNewest(): Promise<void> {
    const { env, ring, tenant } = this.#room;
    const head = ring.newest;
    const before = this.#signed();
    if (before?.seq === head.seq) return;
    const settings = settingsOf(env);
    const key = signingKey(settings);
    const now = Date.now();
    const jws = await signHead(tenant, head, before && { seq: before.seq, sha256: before.sha256 }, now, settings);
    const name = { seq: head.seq, sha256: sha256Hex(jws) };
    await within(R2_TIMEOUT_MS, "R2", this.#heads.put(name, jws));
    this.#room.transact(() => {
      this.#room.store.run(
        "INSERT INTO signed_head (id, seq, hash, at, kid, sha256) VALUES (1, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, at = excluded.at, kid = excluded.kid, sha256 = excluded.sha256",
        head.seq, head.hash, now, key.kid, name.sha256,
      );
      if (before?.kid !== key.kid) this.#room.store.run("INSERT INTO head_keys (kid, x) VALUES (?, ?) ON CONFLICT (kid) DO NOTHING", key.kid, key.x);
    });
  }

  #signed(): SignedRow | null {
    return this.#room.store.first<SignedRow>("SELECT seq, hash, at, kid, sha256 FROM signed_head WHERE id = 1");
  }

  #keys(): HeadKey[] {
    return this.#room.store.all<HeadKey & Row>("SELECT kid, x FROM head_keys");
  }
}
