/**
 * The signed heads of one tenant's audit chain, in R2 under `tenants/{t}/audit/heads/{seq}-{sha256}.jws`: outside D1 and
 * outside the tenant object. Made only from a verified credential. Nothing here is ever written over.
 */
import type { HeadName } from "../audit/signed-head.ts";
import type { Env } from "../env.ts";
import type { Verified } from "./credential.ts";
import { storesOf } from "./stores.ts";

const DIGITS = 16;
const LIST_LIMIT = 1000;

export class TenantHeads {
  readonly #prefix: string;
  readonly #bucket: R2Bucket;

  private constructor(prefix: string, bucket: R2Bucket) {
    this.#prefix = prefix;
    this.#bucket = bucket;
  }

  static for(credential: Verified, env: Env): TenantHeads {
    return new TenantHeads(`tenants/${credential.tenant}/audit/heads/`, storesOf(credential.tenant, credential.isolation, env).r2);
  }

  async put(name: HeadName, jws: string): Promise<void> {
    await this.#bucket.put(this.#keyOf(name), jws, { sha256: name.sha256, httpMetadata: { contentType: "application/jose" } });
  }

  async get(name: HeadName): Promise<string | null> {
    return (await this.#bucket.get(this.#keyOf(name)))?.text() ?? null;
  }

  async has(name: HeadName): Promise<boolean> {
    return (await this.#bucket.head(this.#keyOf(name))) !== null;
  }

  /** The first heads after event `after`, in order; at most `limit` (≤ 1,000). Names that are none are left out. */
  async list(after: number, limit: number): Promise<HeadName[]> {
    // "." sorts after the "-" that ends a number: the names of `after` itself are passed over.
    const { objects } = await this.#bucket.list({ prefix: this.#prefix, startAfter: `${this.#prefix}${digitsOf(after)}.`, limit: Math.min(limit, LIST_LIMIT) });
    return objects.flatMap(({ key }) => {
      const match = /^(\d{16})-([0-9a-f]{64})\.jws$/.exec(key.slice(this.#prefix.length));
      return match ? [{ seq: Number(match[1]), sha256: match[2] as string }] : [];
    });
  }

  #keyOf({ seq, sha256 }: HeadName): string {
    return `${this.#prefix}${digitsOf(seq)}-${sha256}.jws`;
  }
}

const digitsOf = (seq: number) => String(seq).padStart(DIGITS, "0");
