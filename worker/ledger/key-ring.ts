/**
 * The keys of one tenant: SHA-256 at rest, shown once. A revoked or expired key is refused by the next call.
 *
 * - A rotated key and the one that takes its place are one line: limits of a key are limits of its whole line, so that
 *   a rotation never gives an allowance twice.
 */
import type { KeyId } from "../../schema/contract/ids.ts";
import { type Key, type KeyCreate, type KeyLimits, type KeyScope, keyLimits } from "../../schema/contract/tenants.ts";
import { LAST_INSTANT, toTimestamp } from "../../schema/contract/amounts.ts";
import type { Row, Store } from "./store.ts";

interface KeyRow extends Row {
  id: string;
  hash: string;
  type: string;
  name: string;
  hint: string;
  scopes: string;
  origins: string;
  limits: string;
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
  lineage: string | null;
  rotated_to: string | null;
  require_signed_user: number;
}

export interface StoredKey {
  readonly id: KeyId;
  readonly type: "secret" | "publishable";
  readonly name: string;
  readonly hint: string;
  readonly scopes: readonly KeyScope[];
  readonly origins: readonly string[];
  readonly limits: KeyLimits;
  readonly requireSignedUser: boolean;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  /** The first key of this key's line, where it was ever rotated. */
  readonly lineage: KeyId | null;
  readonly rotatedTo: KeyId | null;
  /** Every key of this key's line, itself among them. */
  readonly line: readonly string[];
}

const fromRow = (row: KeyRow, line: readonly string[]): StoredKey => ({
  id: row.id as KeyId,
  type: row.type as StoredKey["type"],
  name: row.name,
  hint: row.hint,
  scopes: JSON.parse(row.scopes) as KeyScope[],
  origins: JSON.parse(row.origins) as string[],
  limits: keyLimits.parse(JSON.parse(row.limits)),
  requireSignedUser: row.require_signed_user === 1,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at,
  lineage: row.lineage as KeyId | null,
  rotatedTo: row.rotated_to as KeyId | null,
  line,
});

const KEYS = ["keys"];

export class KeyRing {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  add(id: KeyId, hash: string, hint: string, body: KeyCreate, now: number): StoredKey {
    const scopes: readonly KeyScope[] = body.type === "secret" ? (body.scopes ?? ["leases"]) : [];
    this.#store.run(
      "INSERT INTO keys (id, hash, type, name, hint, scopes, origins, limits, require_signed_user, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      id, hash, body.type, body.name, hint, JSON.stringify(scopes), JSON.stringify(body.origins ?? []), JSON.stringify(body.limits ?? {}), body.require_signed_user ? 1 : 0,
      now, body.expires_at ? Date.parse(body.expires_at) : null,
    );
    return this.byId(id) as StoredKey;
  }

  byId(id: string): StoredKey | null {
    return this.#store.recall(`key ${id}`, KEYS, () => this.#find("SELECT * FROM keys WHERE id = ?", id));
  }

  byHash(hash: string): StoredKey | null {
    return this.#store.recall(`key by hash ${hash}`, KEYS, () => this.#find("SELECT * FROM keys WHERE hash = ?", hash));
  }

  /** In the order of their making, after the key `after`. */
  list(after: string, limit: number): StoredKey[] {
    return this.#store.all<KeyRow>("SELECT * FROM keys WHERE id > ? ORDER BY id LIMIT ?", after, limit).map((row) => this.#read(row));
  }

  /** The new key takes the old one's place, under the same name and rights; the old one ends at `oldEndsAt`. */
  rotate(old: StoredKey, id: KeyId, hash: string, hint: string, oldEndsAt: number, now: number): StoredKey {
    const lineage = old.lineage ?? old.id;
    // A key that was made to live for a while is followed by one that lives as long.
    const expiresAt = old.expiresAt === null ? null : Math.min(LAST_INSTANT, now + (old.expiresAt - old.createdAt));
    this.#store.run(
      `INSERT INTO keys (id, hash, type, name, hint, scopes, origins, limits, require_signed_user, created_at, expires_at, lineage)
       SELECT ?, ?, type, name, ?, scopes, origins, limits, require_signed_user, ?, ?, ? FROM keys WHERE id = ?`,
      id, hash, hint, now, expiresAt, lineage, old.id,
    );
    this.#store.run("UPDATE keys SET lineage = ?, rotated_to = ?, expires_at = ? WHERE id = ?", lineage, id, oldEndsAt, old.id);
    return this.byId(id) as StoredKey;
  }

  /** Keys whose time has passed and of which that was not told yet; each is told once. */
  takeEnded(now: number): StoredKey[] {
    const ended = this.#store.all<KeyRow>("SELECT * FROM keys WHERE expires_at <= ? AND revoked_at IS NULL AND ended = 0", now).map((row) => this.#read(row));
    for (const key of ended) this.#store.run("UPDATE keys SET ended = 1 WHERE id = ?", key.id);
    return ended;
  }

  nextExpiry(): number | null {
    return this.#store.first<{ at: number | null }>("SELECT min(expires_at) AS at FROM keys WHERE revoked_at IS NULL AND ended = 0")?.at ?? null;
  }

  /** Keys that are accepted now; a rotated one counts until its overlap is over. */
  active(now: number): number {
    return this.#store.first<{ n: number }>("SELECT count(*) AS n FROM keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)", now)?.n ?? 0;
  }

  /** Forgets keys that were revoked, or whose end was told, before `before`; the audit still names them. */
  forget(before: number): void {
    this.#store.run("DELETE FROM keys WHERE revoked_at < ? OR (ended = 1 AND expires_at < ?)", before, before);
  }

  revoke(id: string, now: number): void {
    this.#store.run("UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now, id);
  }

  #find(statement: string, name: string): StoredKey | null {
    const row = this.#store.first<KeyRow>(statement, name);
    return row && this.#read(row);
  }

  #read(row: KeyRow): StoredKey {
    const line = row.lineage === null ? [row.id] : this.#store.all<{ id: string }>("SELECT id FROM keys WHERE lineage = ?", row.lineage).map((member) => member.id);
    return fromRow(row, line);
  }
}

/** The key as the API shows it: never the key itself, never its hash. */
export function toKey(key: StoredKey): Key {
  return {
    id: key.id,
    type: key.type,
    name: key.name,
    hint: key.hint,
    scopes: [...key.scopes],
    origins: [...key.origins],
    limits: key.limits,
    require_signed_user: key.requireSignedUser,
    created_at: toTimestamp(key.createdAt),
    expires_at: key.expiresAt === null ? null : toTimestamp(key.expiresAt),
    revoked_at: key.revokedAt === null ? null : toTimestamp(key.revokedAt),
    rotated_to: key.rotatedTo,
  };
}
