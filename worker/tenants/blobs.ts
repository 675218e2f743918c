/**
 * All of R2 that one tenant may see: its own prefix. Made only from a verified credential; keys are built here from the
 * credential's tenant and validated names, never from a path.
 */
import type { ModelId, RevisionId, Sha256, TenantId } from "../../schema/contract/ids.ts";
import type { Manifest } from "../../schema/contract/models.ts";
import type { Env } from "../env.ts";
import type { Revision } from "../ledger/model-shelf.ts";
import { chunkSizes } from "../models/manifest.ts";
import { storesOf } from "./stores.ts";
import type { Verified } from "./credential.ts";

type Pinned = Pick<Revision, "model" | "revision" | "manifestSha256">;

/** Chunk sizes by tenant and manifest digest: immutable, so a look-up is good for ever. Oldest out first. */
const knownChunks = new Map<string, ReadonlyMap<Sha256, number>>();
const KNOWN_MANIFESTS = 64;

export class TenantBlobs {
  readonly #prefix: string;
  readonly #bucket: R2Bucket;

  private constructor(tenant: TenantId, bucket: R2Bucket) {
    this.#prefix = `tenants/${tenant}`;
    this.#bucket = bucket;
  }

  static for(credential: Verified, env: Env): TenantBlobs {
    return new TenantBlobs(credential.tenant, storesOf(credential.tenant, credential.isolation, env).r2);
  }

  /** Stores bytes whose SHA-256 the caller has checked; R2 checks it again. */
  async putBlob(digest: Sha256, bytes: ArrayBuffer): Promise<void> {
    await this.#bucket.put(`${this.#prefix}/blobs/${digest}`, bytes, { sha256: digest });
  }

  /** The blob, or the part `first`–`last` of it; null where it is not stored. */
  async getBlob(digest: Sha256, part?: { first: number; last: number }): Promise<ReadableStream | null> {
    const range = part && { offset: part.first, length: part.last - part.first + 1 };
    const object = await this.#bucket.get(`${this.#prefix}/blobs/${digest}`, range && { range });
    return object?.body ?? null;
  }

  async putManifest(model: ModelId, revision: RevisionId, text: string): Promise<void> {
    await this.#bucket.put(this.#manifest(model, revision), text, { httpMetadata: { contentType: "application/json" } });
  }

  /** Size of a chunk of this revision; null where the revision has no such chunk. */
  async chunkSize(pinned: Pinned, digest: Sha256): Promise<number | null> {
    const name = `${this.#prefix}\n${pinned.manifestSha256}`;
    let sizes = knownChunks.get(name);
    if (!sizes) {
      const text = await this.getManifest(pinned.model, pinned.revision);
      if (text === null) return null;
      sizes = chunkSizes(JSON.parse(text) as Manifest);
      if (knownChunks.size >= KNOWN_MANIFESTS) knownChunks.delete(knownChunks.keys().next().value as string);
      knownChunks.set(name, sizes);
    }
    return sizes.get(digest) ?? null;
  }

  async getManifest(model: string, revision: string): Promise<string | null> {
    return (await this.#bucket.get(this.#manifest(model, revision)))?.text() ?? null;
  }

  #manifest(model: string, revision: string): string {
    return `${this.#prefix}/models/${model}/${revision}/manifest.json`;
  }
}
