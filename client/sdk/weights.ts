/**
 * The network side of a model's weights: download leases, the manifest, chunks.
 *
 * - A download lease is asked for when the first byte is needed, not before: a fully cached model needs none.
 * - It lives five minutes at most; when it ends in mid-download the chunks ask for the next, once for all of them.
 * - A download that needs another lease goes on with the revision that it began with, for as long as that is granted.
 * - The manifest's bytes must hash to the digest in the lease; they are fetched once more before `weights-corrupt`.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk, Manifest } from "../../schema/contract/models.ts";
import { sha256Hex } from "../cache/digest.ts";
import type { FetchChunkOptions } from "../cache/fetch-model.ts";
import { LeaseholdError } from "../errors.ts";
import { ChunkBuffer } from "./chunk-buffer.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import type { OpenLease } from "./open-lease.ts";
import { isTransient, withRetries } from "./retries.ts";
import { isManifest } from "./shapes.ts";

export class WeightsSource {
  readonly #api: ControlPlane;
  readonly #desk: LeaseDesk;
  readonly #model: string;
  readonly #requestId: string;
  readonly #signal: AbortSignal;
  #current: Promise<OpenLease> | null = null;
  #revision: string | undefined;

  constructor(api: ControlPlane, desk: LeaseDesk, model: string, requestId: string, signal: AbortSignal) {
    this.#api = api;
    this.#desk = desk;
    this.#model = model;
    this.#requestId = requestId;
    this.#signal = signal;
  }

  /** Further leases are to be for this revision, where they can be; null: for the one in force. */
  keepTo(revision: string | null): void {
    this.#revision = revision ?? undefined;
  }

  /** Whether there is one, or it is asked for. */
  get isAsked(): boolean {
    return this.#current !== null;
  }

  /** The download lease in force. */
  lease(): Promise<OpenLease> {
    if (this.#current) return this.#current;
    const asked = this.#desk.ask({ model: this.#model, revision: this.#revision, requestId: this.#requestId, signal: this.#signal });
    this.#current = asked;
    asked.catch(() => {
      if (this.#current === asked) this.#current = null; // refused or not answered: the next who needs one asks anew
    });
    return asked;
  }

  /** The text of the manifest that the lease pins, its digest checked. */
  async manifestText(): Promise<string> {
    const { grant } = await this.lease();
    for (let attempt = 1; attempt <= 2; attempt++) {
      const bytes = await withRetries(() => this.#api.manifest(grant, this.#signal), { delaysMs: [500, 2000], isWorthIt: isTransient, signal: this.#signal });
      if ((await sha256Hex(bytes)) === grant.model.manifest_sha256) return new TextDecoder().decode(bytes);
    }
    throw new LeaseholdError("weights-corrupt", `The manifest of ${this.#model} does not match its digest. Try again later.`);
  }

  /** Chunks of the revision `digest` only: a lease that pins another one is `RevisionMoved`. After a break only the rest is asked for. */
  async chunk(digest: Sha256, chunk: Chunk, options: FetchChunkOptions): Promise<Uint8Array<ArrayBuffer>> {
    const into = new ChunkBuffer(chunk);
    await withRetries(
      async () => {
        const pending = this.lease();
        try {
          return await this.#chunkUnder(await pending, digest, chunk, into, options);
        } catch (error) {
          if (!isLeaseOver(error)) throw error;
          if (this.#current === pending) {
            this.#current = null;
            this.#desk.forget(await pending);
          }
          return await this.#chunkUnder(await this.lease(), digest, chunk, into, options);
        }
      },
      { delaysMs: [500, 2000], isWorthIt: isTransient, signal: options.signal },
    );
    return into.bytes;
  }

  async #chunkUnder({ grant }: OpenLease, digest: Sha256, chunk: Chunk, into: ChunkBuffer, options: FetchChunkOptions): Promise<void> {
    if (grant.model.manifest_sha256 !== digest) throw new RevisionMoved();
    await this.#api.chunk(grant.lease, chunk, into, options);
  }

  /** Gives the lease back, if one was taken. Whoever needs more asks for another. */
  async end(error?: LeaseholdError): Promise<void> {
    const current = this.#current;
    this.#current = null;
    const lease = await current?.catch(() => null); // a refusal has been thrown where it was asked for
    if (!lease) return;
    if (error) await this.#desk.abandon(lease, error);
    else await this.#desk.finishDownload(lease);
  }
}

/** The live revision is not the one that is being read from the cache: start over with the live one. */
export class RevisionMoved extends Error {}

export function parseManifest(text: string, tenant: string, model: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined; // refused below
  }
  if (isManifest(value) && value.tenant === tenant && value.model === model) return value;
  throw new LeaseholdError("bad-response", `The manifest of ${model} is not one that this client can read.`);
}

const isLeaseOver = (error: unknown) => error instanceof LeaseholdError && (error.code === "lease-expired" || error.code === "lease-settled");
