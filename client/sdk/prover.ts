/**
 * Presents leases: with a proof of the tenant's key where there is one (DPoP), as bearers where there is none.
 *
 * - The nonce is the newest that any answer brought; the clock is the control plane's, as the leases tell it.
 * - The proof of a lease's usage report is made beforehand: a page that goes away has no time to sign.
 */
import { makeProof, type ProofKey } from "../../schema/contract/dpop-proof.ts";
import { bindingOf, type LeaseBinding, type ProofKeyring } from "./proof-key.ts";

export interface Presentation {
  readonly Authorization: string;
  readonly DPoP?: string;
}

export class Prover {
  readonly #keyring: Promise<ProofKeyring>;
  readonly #ready = new Map<string, Presentation>();
  #nonce: string | null = null;
  #clockOffsetMs = 0;

  constructor(keyring: Promise<ProofKeyring>) {
    this.#keyring = keyring;
  }

  async binding(): Promise<LeaseBinding> {
    return bindingOf(await this.#keyring);
  }

  /** What a lease is asked to be bound to; undefined: nothing. */
  async jkt(): Promise<string | undefined> {
    return (await this.#keyring).key?.jkt;
  }

  /** To be told every answer's headers. */
  note(headers: Headers): void {
    this.#nonce = headers.get("DPoP-Nonce") ?? this.#nonce;
  }

  async present(lease: string, method: string, url: string): Promise<Presentation> {
    const { key } = await this.#keyring;
    return key ? this.#prove(key, lease, method, url) : { Authorization: `Bearer ${lease}` };
  }

  /** Makes what `takeReady` will give. */
  async prepare(lease: string, method: string, url: string): Promise<void> {
    this.#clockOffsetMs = clockOffsetMs(lease, Date.now()) ?? this.#clockOffsetMs;
    this.#ready.set(url, await this.present(lease, method, url));
  }

  /** Once, at once. */
  takeReady(url: string): Presentation | undefined {
    const ready = this.#ready.get(url);
    this.#ready.delete(url);
    return ready;
  }

  async #prove(key: ProofKey, lease: string, method: string, url: string): Promise<Presentation> {
    const proof = await makeProof(key, { method, url, lease, nonce: this.#nonce, nowMs: Date.now() + this.#clockOffsetMs });
    return { Authorization: `DPoP ${lease}`, DPoP: proof };
  }
}

/** How far this device's clock is behind the control plane's, by the time at which a lease that just came was issued. */
export function clockOffsetMs(lease: string, nowMs: number): number | null {
  try {
    const claims: unknown = JSON.parse(atob((lease.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
    const issuedAt = typeof claims === "object" && claims !== null && "iat" in claims ? claims.iat : undefined;
    return typeof issuedAt === "number" ? issuedAt * 1000 - nowMs : null;
  } catch {
    return null; // not a token that can be read: the clock stays as it is
  }
}
