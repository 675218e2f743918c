/**
 * Which DPoP proofs this object has seen: each is taken once. In memory alone, and exact all the same: a proof must carry
 * a nonce that this very incarnation of the object gave out, so one that was used before an eviction is refused for its
 * nonce.
 *
 * - A nonce is given out for 5 minutes and taken for 5 more; what was seen under it is forgotten with it.
 */
import type { Proof } from "../leases/dpop.ts";

const NONCE_MS = 5 * 60_000;

interface Generation {
  readonly nonce: string;
  readonly since: number;
  /** By `jti`: the request that brought it. */
  readonly seen: Map<string, string>;
}

export class ProofLog {
  readonly #newNonce: () => string;
  #generations: readonly Generation[] = [];

  constructor(newNonce: () => string = () => crypto.randomUUID().replaceAll("-", "")) {
    this.#newNonce = newNonce;
  }

  /** The nonce that proofs should carry from now on. */
  nonce(now: number): string {
    return this.#current(now).nonce;
  }

  /** `stale`: its nonce is none that is taken now. `replayed`: another request brought it before. */
  take(proof: Proof, now: number): "taken" | "stale" | "replayed" {
    this.#current(now);
    const generation = this.#generations.find(({ nonce }) => nonce === proof.nonce);
    if (!generation) return "stale";
    const before = generation.seen.get(proof.jti);
    if (before !== undefined && before !== proof.request) return "replayed";
    generation.seen.set(proof.jti, proof.request);
    return "taken";
  }

  #current(now: number): Generation {
    this.#generations = this.#generations.filter(({ since }) => now < since + 2 * NONCE_MS);
    const [newest] = this.#generations;
    if (newest && now < newest.since + NONCE_MS) return newest;
    const made = { nonce: this.#newNonce(), since: now, seen: new Map<string, string>() };
    this.#generations = [made, ...this.#generations];
    return made;
  }
}
