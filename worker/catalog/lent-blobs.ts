/**
 * What a tenant may be shown of the catalogue's bytes, read alone: chunks and manifests by name. To be made of a credential
 * whose tenant's object has said that what is read is lent to it; nothing of another tenant lies under this prefix.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Base } from "../../schema/contract/models.ts";
import type { Env } from "../env.ts";
import { storesOf } from "../tenants/stores.ts";
import type { Verified } from "../tenants/credential.ts";
import { CATALOG } from "./catalog-id.ts";

const PREFIX = `tenants/${CATALOG}`;

export class LentBlobs {
  readonly #bucket: R2Bucket;

  private constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  static for(_credential: Verified, env: Env): LentBlobs {
    return new LentBlobs(storesOf(CATALOG, "pooled", env).r2);
  }

  async getBlob(digest: Sha256, part?: { first: number; last: number }): Promise<ReadableStream | null> {
    const range = part && { offset: part.first, length: part.last - part.first + 1 };
    return (await this.#bucket.get(`${PREFIX}/blobs/${digest}`, range && { range }))?.body ?? null;
  }

  async getManifest({ model, revision }: Base): Promise<string | null> {
    return (await this.#bucket.get(`${PREFIX}/models/${model}/${revision}/manifest.json`))?.text() ?? null;
  }
}
