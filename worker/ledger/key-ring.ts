/**
 * The keys of one tenant: SHA-256 at rest, shown once. A revoked or expired key is refused by the next call.
 */
import type { KeyId } from "../../schema/contract/ids.ts";
import { type Key, type KeyCreate, type KeyLimits, type KeyScope, keyLimits } from "../../schema/contract/tenants.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
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
}

export interface StoredKey {
  readonly id: KeyId;
  readonly type: "secret" | "publishable";
  readonly name: string;
  readonly hint: string;
  readonly scopes: readonly KeyScope[];
  readonly origins: readonly string[];
  readonly limits: KeyLimits;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
}

const fromRow = (row: KeyRow): StoredKey => ({
  id: row.id as KeyId,
  type: row.type as StoredKey["type"],
  name: row.name,
  hint: row.hint,
  scopes: JSON.parse(row.scopes) as KeyScope[],
  origins: JSON.parse(row.origins) as string[],
  limits: keyLimits.parse(JSON.parse(row.limits)),
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at,
});

export class KeyRing {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  add(id: KeyId, hash: string, hint: string, body: KeyCreate, now: number): StoredKey {
    const scopes: readonly KeyScope[] = body.type === "secret" ? (body.scopes ?? ["leases"]) : [];
    this.#store.run(
      "INSERT INTO keys (id, hash, type, name, hint, scopes, origins, limits, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      id, hash, body.type, body.name, hint, JSON.stringify(scopes), JSON.stringify(body.origins ?? []), JSON.stringify(body.limits ?? {}),
      now, body.expires_at ? Date.parse(body.expires_at) : null,
    );
    return this.byId(id) as StoredKey;
  }

  byId(id: string): StoredKey | null {
    const row = this.#store.first<KeyRow>("SELECT * FROM keys WHERE id = ?", id);
    return row && fromRow(row);
  }

  byHash(hash: string): StoredKey | null {
    const row = this.#store.first<KeyRow>("SELECT * FROM keys WHERE hash = ?", hash);
    return row && fromRow(row);
  }

  /** In the order of their making, after the key `after`. */
  list(after: string, limit: number): StoredKey[] {
    return this.#store.all<KeyRow>("SELECT * FROM keys WHERE id > ? ORDER BY id LIMIT ?", after, limit).map(fromRow);
  }

  revoke(id: string, now: number): void {
    this.#store.run("UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now, id);
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
    created_at: toTimestamp(key.createdAt),
    expires_at: key.expiresAt === null ? null : toTimestamp(key.expiresAt),
    revoked_at: key.revokedAt === null ? null : toTimestamp(key.revokedAt),
  };
}
