/**
 * Idempotency keys of one tenant (after draft-ietf-httpapi-idempotency-key-header): same key and body, same answer;
 * same key, other body, `idempotency-key-reused`. Each credential has keys of its own: no repeat gets what another
 * credential was granted. Answers are kept for a day (worker/ledger/tidy.ts forgets them). Refusals are not kept: they may be retried.
 *
 * An answer that may be too large to keep, of work that changes nothing when it is done again, is not kept: the key is
 * claimed for its request, and a repeat is answered as things are by then.
 *
 * The look-up, the work and the answer's record are one transaction, so no two calls with one key are ever in flight.
 */
import { type Refused, type Result, done, refuse } from "./result.ts";
import type { Store } from "./store.ts";

export interface IdempotentCall {
  /** Whose key it is: names one credential, without a space. */
  readonly by: string;
  /** The `Idempotency-Key` header. */
  readonly key: string;
  /** SHA-256 of method, path and canonical body. */
  readonly bodySha256: string;
}

const KEEP_MS = 24 * 3_600_000;

const idOf = ({ by, key }: IdempotentCall) => `${by} ${key}`;

export class IdempotencyKeys {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** What this call was answered before, where it was. */
  recall<T>(call: IdempotentCall | null, now: number): Result<T> | null {
    if (!call) return null;
    const row = this.#store.first<{ body_sha256: string; answer: string }>("SELECT body_sha256, answer FROM idempotency WHERE id = ? AND expires_at > ?", idOf(call), now);
    if (!row) return null;
    if (row.body_sha256 !== call.bodySha256) return refuse("idempotency-key-reused", "This Idempotency-Key came with another request before. Use a new key for a new request.");
    return done(JSON.parse(row.answer) as T);
  }

  /** Null, or that the key came with another request before. */
  refuses(call: IdempotentCall | null, now: number): Refused | null {
    const before = this.recall(call, now);
    return before && !before.ok ? before : null;
  }

  /** Does the work of every call with this key, which is for this request alone once it was done. */
  each<T>(call: IdempotentCall | null, now: number, work: () => Result<T>): Result<T> {
    const result = this.refuses(call, now) ?? work();
    if (call && result.ok) this.#keep(call, null, now);
    return result;
  }

  once<T>(call: IdempotentCall | null, now: number, work: () => Result<T>): Result<T> {
    const before = this.recall<T>(call, now);
    if (before) return before;
    const result = work();
    if (call && result.ok) this.#keep(call, result.value, now);
    return result;
  }

  /** The key is as one that never came. */
  forget(call: IdempotentCall): void {
    this.#store.run("DELETE FROM idempotency WHERE id = ? AND body_sha256 = ?", idOf(call), call.bodySha256);
  }

  #keep(call: IdempotentCall, answer: unknown, now: number): void {
    this.#store.run(
      "INSERT INTO idempotency (id, body_sha256, answer, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET body_sha256 = excluded.body_sha256, answer = excluded.answer, expires_at = excluded.expires_at",
      idOf(call), call.bodySha256, JSON.stringify(answer), now + KEEP_MS,
    );
  }
}
