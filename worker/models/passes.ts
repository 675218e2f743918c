/**
 * The passes that this isolate holds: what a lease may be sent of its model without asking the tenant object again.
 *
 * - A request is decided here where a pass of its lease is live, knows the chunk and has its bytes left; otherwise by
 *   the object, which may draw the next pass, and is told then of one that is spent.
 * - The lease's signature and times, and the proof that a bound lease comes with, are verified on every request, before
 *   it comes here. Whether the proof is fresh and new is decided here too under a pass: it carries a nonce that the
 *   object takes, and is none that the object or this isolate has seen. The object hears of it when the pass is over.
 * - A pass is used for no longer than `PASS_MS` from when it was asked for, by this isolate's own clock: a lease that is
 *   revoked after that answer is refused a second later at the latest, whatever the object's clock says.
 * - The bytes of a pass are taken in one synchronous step, so that it is never overdrawn; a proof likewise.
 */
import type { LeaseId, Sha256 } from "../../schema/contract/ids.ts";
import type { Balance } from "../../schema/contract/policy.ts";
import { problem } from "../http/problem.ts";
import { type Proof, REPLAYED_PROOF } from "../leases/dpop.ts";
import type { Delivered } from "../ledger/desks/model-desk.ts";
import { type DrawnPass, PASS_MS } from "../ledger/egress-passes.ts";
import type { LentProofs } from "../ledger/proof-log.ts";
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
  /** Of a lease that is bound to a key. */
  readonly proofs: LentProofs | null;
}

/** What the object is told of a pass that is over. */
export interface SpentPass {
  readonly id: string;
  readonly lease: LeaseId;
  readonly used: number;
  readonly proofs: readonly Proof[];
}

/** A request for a chunk by a lease. */
export interface ChunkAsk {
  readonly lease: LeaseId;
  readonly proof: Proof | null;
  readonly digest: Sha256;
  readonly conditions: Conditions;
}

/** Each holds the names of a model's chunks, and of proofs: a quarter of a megabyte where both are many. */
const MAX_PASSES = 250;
/** What costs no bytes (HEAD, 304) is bounded too: so many proofs are told of at one time. */
const MAX_PROOFS = 256;

export class Passes {
  readonly #held = new Map<LeaseId, HeldPass>();
  readonly #asking = new Map<LeaseId, Promise<unknown>>();

  /**
   * Decides by a pass, or asks. Requests of one lease that come at once wait for the first: it may bring a pass.
   * `keep` is called for each new pass: a while after it is over, `settle` is due, where no request told the object before.
   */
  async decide(ask: ChunkAsk, object: (spent: SpentPass | null) => Promise<Delivered>, keep: (held: HeldPass) => void): Promise<Delivered> {
    const { lease } = ask;
    await this.#asking.get(lease);
    const held = this.#held.get(lease);
    const known = held?.use(ask, Date.now());
    if (known) return known;
    const askedAt = Date.now();
    const spent = held?.isSpent(askedAt) ? held.hand() : null;
    const asked = object(spent);
    const settled = asked.then(
      ({ pass }) => pass && keep(this.#hold(new HeldPass(lease, pass, Math.min(pass.until, askedAt + PASS_MS), held))),
      () => spent && held?.takeBack(), // the caller hears of it from `asked`
    );
    this.#asking.set(lease, settled);
    try {
      return await asked;
    } finally {
      if (this.#asking.get(lease) === settled) this.#asking.delete(lease);
    }
  }

  /** Tells the object what was used, once, and forgets the pass when it knows. */
  async settle(held: HeldPass, tell: (spent: SpentPass) => Promise<void>): Promise<void> {
    const spent = held.hand();
    try {
      if (spent) await tell(spent);
    } finally {
      if (this.#held.get(held.lease) === held) this.#held.delete(held.lease);
    }
  }

  #hold(held: HeldPass): HeldPass {
    this.#held.delete(held.lease);
    if (this.#held.size >= MAX_PASSES) this.#held.delete(this.#held.keys().next().value as LeaseId);
    this.#held.set(held.lease, held);
    return held;
  }
}

/** A pass in use: what it was used for is handed over once. */
export class HeldPass {
  readonly lease: LeaseId;
  readonly until: number;
  readonly #pass: Pass;
  readonly #lent: ReadonlySet<Sha256>;
  readonly #seen: Set<string>;
  readonly #taken: Proof[] = [];
  #used = 0;
  #isExhausted = false;
  #isHanded = false;

  /** `before`: the isolate's pass of this lease until now. What it took may still be on its way to the object. */
  constructor(lease: LeaseId, pass: Pass, until: number, before: HeldPass | undefined) {
    this.lease = lease;
    this.until = until;
    this.#pass = pass;
    this.#lent = new Set(pass.lent);
    this.#seen = new Set([...(pass.proofs?.seen ?? []), ...(before === undefined ? [] : before.#taken.map(({ jti }) => jti))]);
  }

  /** null: the object is to be asked. Throws for a proof that came before, whoever is to decide. */
  use({ proof, digest, conditions }: ChunkAsk, now: number): Delivered | null {
    if (proof && this.#seen.has(proof.jti)) throw problem("invalid-dpop-proof", REPLAYED_PROOF);
    if (proof) this.#seen.add(proof.jti);
    const size = this.#pass.chunks[digest];
    if (size === undefined || this.isSpent(now) || !this.#takes(proof)) return null;
    const delivery = decideDelivery(conditions, `"${digest}"`, size);
    const bytes = conditions.method === "HEAD" ? 0 : bytesOf(delivery, size);
    if (this.#used + bytes > this.#pass.bytes) {
      this.#isExhausted = true;
      return null;
    }
    this.#used += bytes;
    if (proof) this.#taken.push(proof);
    return { identity: this.#pass.identity, size, delivery, egress: this.#pass.egress, pass: null, from: this.#lent.has(digest) ? "catalog" : "own" };
  }

  /** It serves nothing more. */
  isSpent(now: number): boolean {
    return this.until <= now || this.#isExhausted || this.#isHanded || this.#taken.length >= MAX_PROOFS;
  }

  /** What is to be told of it; null: it was told. It serves nothing from then on. */
  hand(): SpentPass | null {
    if (this.#isHanded) return null;
    this.#isHanded = true;
    return { id: this.#pass.id, lease: this.lease, used: this.#used, proofs: this.#taken };
  }

  /** The object did not hear of it: it is to be told again. */
  takeBack(): void {
    this.#isHanded = false;
  }

  #takes(proof: Proof | null): boolean {
    const { proofs } = this.#pass;
    if (!proofs || !proof) return proofs === null && proof === null;
    return proof.nonce !== null && proofs.nonces.includes(proof.nonce);
  }
}
