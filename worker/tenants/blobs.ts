/**
 * All of R2 that one tenant may see: its own prefix. Made only from a verified credential; keys are built here from the
 * credential's tenant and validated names, never from a path.
 */
import type { ModelId, RevisionId, Sha256, TenantId } from "../../schema/contract/ids.ts";
import type { Env } from "../env.ts";
import { GENESIS, sha256Hex } from "../ledger/audit-chain.ts";
import { storesOf } from "./stores.ts";
import type { Verified } from "./credential.ts";

const MANIFEST = "manifest.json";

/** A manifest as it lies in R2. */
export interface StoredManifest {
  readonly model: string;
  readonly revision: string;
  readonly bytes: number;
  readonly storedAt: number;
}

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
  async putBlob(digest: Sha256, bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#bucket.put(`${this.#prefix}/blobs/${digest}`, bytes, { sha256: digest });
  }

  /** The blob, or the part `first`–`last` of it; null where it is not stored. */
  async getBlob(digest: Sha256, part?: { first: number; last: number }): Promise<ReadableStream | null> {
    const range = part && { offset: part.first, length: part.last - part.first + 1 };
    const object = await this.#bucket.get(`${this.#prefix}/blobs/${digest}`, range && { range });
    return object?.body ?? null;
  }

  /** At most 1,000 at once. */
  async deleteBlobs(digests: readonly Sha256[]): Promise<void> {
    await this.#bucket.delete(digests.map((digest) => `${this.#prefix}/blobs/${digest}`));
  }

  async putManifest(model: ModelId, revision: RevisionId, text: string): Promise<void> {
    await this.#bucket.put(this.#manifest(model, revision), text, { httpMetadata: { contentType: "application/json" } });
  }

  async getManifest(model: string, revision: string): Promise<string | null> {
    return (await this.#bucket.get(this.#manifest(model, revision)))?.text() ?? null;
  }

  /** At most 1,000 at once. */
  async deleteManifests(drafts: readonly Readonly<Record<"model" | "revision", string>>[]): Promise<void> {
    await this.#bucket.delete(drafts.map(({ model, revision }) => this.#manifest(model, revision)));
  }

  /** Every manifest that is stored, a page at a time. */
  async *manifests(): AsyncGenerator<StoredManifest[]> {
    for await (const page of this.#pages("models/")) {
      yield page.flatMap(({ key, size, uploaded }) => {
        const [model, revision, name, ...more] = key.slice(`${this.#prefix}/models/`.length).split("/");
        return model !== undefined && revision !== undefined && name === MANIFEST && more.length === 0 ? [{ model, revision, bytes: size, storedAt: uploaded.getTime() }] : [];
      });
    }
  }

  /** Everything under the tenant's prefix; `digest` as contract/erasure.ts says. */
  async inventory(): Promise<{ count: number; bytes: number; digest: string }> {
    let [count, bytes, digest] = [0, 0, GENESIS];
    for await (const page of this.#pages("")) {
      for (const object of page) {
        count += 1;
        bytes += object.size;
        digest = sha256Hex(`${digest}\n${object.key}\n${object.size}\n${object.etag}`);
      }
    }
    return { count, bytes, digest };
  }

  async deleteEverything(): Promise<void> {
    for (;;) {
      const { objects } = await this.#bucket.list({ prefix: `${this.#prefix}/` });
      if (objects.length === 0) return;
      await this.#bucket.delete(objects.map((object) => object.key));
    }
  }

  async *#pages(below: string): AsyncGenerator<R2Object[]> {
    let cursor: string | undefined;
    do {
      const page = await this.#bucket.list({ prefix: `${this.#prefix}/${below}`, cursor });
      yield page.objects;
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
  }

  #manifest(model: string, revision: string): string {
    return `${this.#prefix}/models/${model}/${revision}/${MANIFEST}`;
  }
}
