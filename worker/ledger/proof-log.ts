/**
 * Which DPoP proofs this object has seen: each is taken once. In memory alone, and exact all the same: a proof must carry
 * a nonce that this very incarnation of the object gave out, so one that was used before an eviction is refused for its
 * nonce.
 *
 * - A nonce is given out for 5 minutes and taken for 5 more; what was seen under it is forgotten with it.
 * - It is taken for `MOST_SEEN` proofs at most, and two nonces are remembered at one time: whoever sends proof upon proof
 *   fills no memory, but only makes nonces end sooner, and who has one that has ended is given the next.
 */
import type { Proof } from "../leases/dpop.ts";

const NONCE_MS = 5 * 60_000;
/** Some 13 MB a nonce, of the 128 that an object has. */
const MOST_SEEN = 50_000;

interface Generation {
  readonly nonce: string;
  readonly since: number;
  /** By `jti`: the request that brought it. */
  readonly seen: Map<string, string>;
}

export class ProofLog {
  readonly #newNonce: () => string;
  readonly #mostSeen: number;
  #generations: readonly Generation[] = [];

  constructor(newNonce: () => string = () => crypto.randomUUID().replaceAll("-", ""), mostSeen = MOST_SEEN) {
    this.#newNonce = newNonce;
    this.#mostSeen = mostSeen;
  }

  /** The nonce that proofs should carry from now on. */
  nonce(now: number): string {
    return this.#current(now).nonce;
  }

  /** `stale`: its nonce is none that is taken now, or was taken often enough. `replayed`: another request brought it before. */
  take(proof: Proof, now: number): "taken" | "stale" | "replayed" {
    this.#current(now);
    const generation = this.#generations.find(({ nonce }) => nonce === proof.nonce);
    if (!generation) return "stale";
    const before = generation.seen.get(proof.jti);
    if (before !== undefined && before !== proof.request) return "replayed";
    if (before === undefined && generation.seen.size >= this.#mostSeen) return "stale";
    generation.seen.set(proof.jti, proof.request);
    return "taken";
  }

  #current(now: number): Generation {
    this.#generations = this.#generations.filter(({ since }) => now < since + 2 * NONCE_MS);
    const [newest] = this.#generations;
    if (newest && now < newest.since + NONCE_MS && newest.seen.size < this.#mostSeen) return newest;
    const made = { nonce: this.#newNonce(), since: now, seen: new Map<string, string>() };
    this.#generations = newest ? [made, newest] : [made];
    return made;
  }
}
