/**
 * Which DPoP proofs were taken: each is taken once. In memory alone, and exact all the same: a proof must carry a nonce
 * that this very incarnation of the object gave out, so one that was used before an eviction is refused for its nonce.
 *
 * - A nonce is given out for 5 minutes and taken for 5 more; what was seen under it is forgotten with it.
 * - It is taken for `MOST_SEEN` proofs at most, and two nonces are remembered at one time: whoever sends proof upon proof
 *   fills no memory, but only makes nonces end sooner, and who has one that has ended is given the next.
 * - With a pass (egress-passes.ts) one isolate takes a lease's proofs itself: it is lent what was seen of that lease, one
 *   isolate at a time, and tells what it took when the pass is over. Until then a proof can be taken twice, there and
 *   here, and never a third time (docs/decisions/0005-bytes.md).
 */
import type { Proof } from "../leases/dpop.ts";
import { type DrawnPass, TELL_MS } from "./egress-passes.ts";

const NONCE_MS = 5 * 60_000;
/** Some 13 MB a nonce, twice that where each is of another lease, of the 128 that an object has. */
const MOST_SEEN = 50_000;
/** What is lent travels with every pass; a lease that has brought more is asked for by the chunk. */
const MOST_LENT = 2_000;

/** What an isolate needs to take proofs of one lease. */
export interface LentProofs {
  readonly nonces: readonly string[];
  /** By `jti`. */
  readonly seen: readonly string[];
}

interface Generation {
  readonly nonce: string;
  readonly since: number;
  count: number;
  /** By lease, then by `jti`: the request that brought it. */
  readonly seen: Map<string, Map<string, string>>;
}

export class ProofLog {
  readonly #newNonce: () => string;
  readonly #mostSeen: number;
  #generations: readonly Generation[] = [];
  /** By lease: the pass whose isolate takes its proofs. */
  readonly #lent = new Map<string, Pick<DrawnPass, "id" | "until">>();

  constructor(newNonce: () => string = () => crypto.randomUUID().replaceAll("-", ""), mostSeen = MOST_SEEN) {
    this.#newNonce = newNonce;
    this.#mostSeen = mostSeen;
  }

  /** The nonce that proofs should carry from now on. */
  nonce(now: number): string {
    return this.#current(now).nonce;
  }

  /** `stale`: its nonce is none that is taken now, or was taken often enough. `replayed`: another request brought it before. */
  take(lease: string, proof: Proof, now: number): "taken" | "stale" | "replayed" {
    this.#current(now);
    const generation = this.#generations.find(({ nonce }) => nonce === proof.nonce);
    if (!generation) return "stale";
    const before = generation.seen.get(lease)?.get(proof.jti);
    if (before !== undefined && before !== proof.request) return "replayed";
    if (before === undefined && !this.#note(generation, lease, proof)) return "stale";
    return "taken";
  }

  /** Whether an isolate may take this lease's proofs: none has them, and what was seen is not too much to be told. */
  mayLend(lease: string, now: number): boolean {
    for (const [one, { until }] of this.#lent) if (until + TELL_MS <= now) this.#lent.delete(one);
    return !this.#lent.has(lease) && this.#generations.reduce((sum, { seen }) => sum + (seen.get(lease)?.size ?? 0), 0) <= MOST_LENT;
  }

  /** What the isolate that holds this pass needs to take proofs of the lease. */
  lend(lease: string, pass: DrawnPass, now: number): LentProofs {
    this.#current(now);
    this.#lent.set(lease, pass);
    return { nonces: this.#generations.map(({ nonce }) => nonce), seen: this.#generations.flatMap(({ seen }) => [...(seen.get(lease)?.keys() ?? [])]) };
  }

  /** What was taken under a pass that is over. A nonce that has ended, or is full, takes nothing anyway that it did not see. */
  giveBack(lease: string, pass: string, taken: readonly Proof[]): void {
    if (this.#lent.get(lease)?.id === pass) this.#lent.delete(lease);
    for (const proof of taken) {
      const generation = this.#generations.find(({ nonce }) => nonce === proof.nonce);
      if (generation && !generation.seen.get(lease)?.has(proof.jti)) this.#note(generation, lease, proof);
    }
  }

  #note(generation: Generation, lease: string, { jti, request }: Proof): boolean {
    if (generation.count >= this.#mostSeen) return false;
    const ofLease = generation.seen.get(lease) ?? new Map<string, string>();
    generation.seen.set(lease, ofLease.set(jti, request));
    generation.count += 1;
    return true;
  }

  #current(now: number): Generation {
    this.#generations = this.#generations.filter(({ since }) => now < since + 2 * NONCE_MS);
    const [newest] = this.#generations;
    if (newest && now < newest.since + NONCE_MS && newest.count < this.#mostSeen) return newest;
    const made = { nonce: this.#newNonce(), since: now, count: 0, seen: new Map<string, Map<string, string>>() };
    this.#generations = newest ? [made, newest] : [made];
    return made;
  }
}
