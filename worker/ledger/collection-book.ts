/**
 * Blobs that are to go: what nothing refers to any more, on its way out of R2. Each method runs inside the object's
 * transaction.
 *
 * - A blob is in use while a revision or a draft names it, or an import under way has noted it. `inUse` is the one place
 *   that says so: whatever comes to refer to blobs is to be named there. What is being uploaded is no blob yet.
 * - A blob that is to go is not stored any more for anybody who asks: a draft that is begun then is told that it is
 *   missing. What a draft was told is there is in use from that very transaction on.
 * - From when its deletion was sent until that is confirmed, nothing of that name may be put in R2. One that was not
 *   confirmed is sent again no sooner than `LINGER_MS` later: by then the first has been done, or never will be.
 * - Its bytes count as stored until they are gone.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Row, Store } from "./store.ts";

/** What nobody refers to is kept this long after it was stored, or sent again: its revision may be about to be begun. */
export const GRACE_MS = 24 * 3_600_000;
/** No request to R2 lives longer. */
export const LINGER_MS = 60_000;

/** Revisions of one model. */
export interface Revisions {
  readonly model: string;
  readonly revisions: readonly string[];
}

/** `but`: which chunks do not count, because what names them is about to go. */
const inUse = (but = "false") => `sha256 IN (SELECT sha256 FROM chunks WHERE NOT (${but}))
  OR sha256 IN (SELECT c.sha256 FROM import_chunks c JOIN imports i ON i.id = c.import_id WHERE i.next_at IS NOT NULL)`;

export interface Condemned {
  readonly blobs: number;
  readonly bytes: number;
}

interface SumRow extends Row {
  blobs: number;
  bytes: number | null;
}

export class CollectionBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Blobs that nothing may refer to from `at` on. */
  expect(at: number): void {
    this.#store.run("UPDATE collection SET due_at = ? WHERE due_at IS NULL OR due_at > ?", at, at);
  }

  /** Condemns what nothing refers to and is older than the grace time. */
  sweep(now: number): Condemned {
    this.expireUploads(now);
    const condemned = this.#condemn(`stored_at <= ? AND NOT (${inUse()})`, now - GRACE_MS);
    const next = this.#store.first<{ at: number | null }>(`SELECT min(stored_at) AS at FROM blobs WHERE NOT (${inUse()})`)?.at ?? null;
    this.#store.run("UPDATE collection SET due_at = ?", next === null ? null : next + GRACE_MS);
    return condemned;
  }

  /**
   * Condemns what these revisions alone refer to, without waiting. They are dropped in the same transaction, after it: their
   * chunks are read where they are, for they may be more than one value can hold.
   */
  release({ model, revisions }: Revisions, now: number): Condemned {
    this.expireUploads(now);
    const theirs = "model = ?1 AND revision IN (SELECT value FROM json_each(?2))";
    return this.#condemn(`sha256 IN (SELECT sha256 FROM chunks WHERE ${theirs}) AND NOT (${inUse(theirs)})`, model, JSON.stringify(revisions));
  }

  /** An upload that never came to its record gives its place back; what of it is in R2 is no blob of anybody. */
  expireUploads(now: number, but = ""): void {
    this.#store.run("INSERT INTO collecting (sha256, size) SELECT sha256, 0 FROM uploads WHERE expires_at <= ? AND sha256 <> ? AND sha256 NOT IN (SELECT sha256 FROM blobs) ON CONFLICT DO NOTHING", now, but);
    this.#store.run("DELETE FROM uploads WHERE expires_at <= ?", now);
  }

  /** Whether its deletion was sent: nothing may be put under this name now. */
  isGoing(digest: string): boolean {
    return this.#store.first("SELECT 1 AS one FROM collecting WHERE sha256 = ? AND asked_at IS NOT NULL", digest) !== null;
  }

  /** It is put anew, before its deletion was sent. */
  letOff(digest: string): void {
    this.#store.run("DELETE FROM collecting WHERE sha256 = ? AND asked_at IS NULL", digest);
  }

  /** Some blobs whose deletion is to be sent now. */
  take(now: number, limit: number): Sha256[] {
    const rows = this.#store.all<{ sha256: string }>("SELECT sha256 FROM collecting WHERE asked_at IS NULL OR asked_at <= ? LIMIT ?", now - LINGER_MS, limit);
    const digests = rows.map(({ sha256 }) => sha256 as Sha256);
    this.#store.run("UPDATE collecting SET asked_at = ? WHERE sha256 IN (SELECT value FROM json_each(?))", now, JSON.stringify(digests));
    return digests;
  }

  /** Their deletion is confirmed, of those whose last one it is: `at` is when they were taken. */
  gone(digests: readonly string[], at: number): void {
    this.#store.run("DELETE FROM collecting WHERE asked_at = ? AND sha256 IN (SELECT value FROM json_each(?))", at, JSON.stringify(digests));
  }

  sweepAt(): number | null {
    return this.#store.first<{ due_at: number | null }>("SELECT due_at FROM collection")?.due_at ?? null;
  }

  nextAt(): number | null {
    const going = this.#store.first<{ at: number | null }>("SELECT min(coalesce(asked_at + ?, 0)) AS at FROM collecting", LINGER_MS)?.at ?? null;
    const sweep = this.sweepAt();
    return going === null || sweep === null ? (going ?? sweep) : Math.min(going, sweep);
  }

  bytes(): number {
    return this.#store.recall("bytes to go", ["collecting"], () => this.#store.first<{ n: number | null }>("SELECT sum(size) AS n FROM collecting")?.n ?? 0);
  }

  #condemn(where: string, ...of: (string | number)[]): Condemned {
    const sum = this.#store.first<SumRow>(`SELECT count(*) AS blobs, sum(size) AS bytes FROM blobs WHERE ${where}`, ...of);
    if (!sum || sum.blobs === 0) return { blobs: 0, bytes: 0 };
    this.#store.run(`INSERT INTO collecting (sha256, size) SELECT sha256, size FROM blobs WHERE ${where} ON CONFLICT (sha256) DO UPDATE SET size = excluded.size`, ...of);
    this.#store.run("DELETE FROM blobs WHERE sha256 IN (SELECT sha256 FROM collecting)");
    return { blobs: sum.blobs, bytes: sum.bytes ?? 0 };
  }
}
