/**
 * The secrets of one tenant, sealed. Each method runs inside the object's transaction.
 *
 * - Only the newest value of a name is kept. Versions go on counting after a deletion, so that no two values of a
 *   tenant are ever sealed in the same place.
 * - The data key is made with the first secret. Where it is wrapped under an earlier master key, whoever opens it next
 *   wraps it under the current one.
 */
import type { TenantId } from "../../schema/contract/ids.ts";
import type { Secret, SecretName } from "../../schema/contract/secrets.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import { type MasterKey, SealBroken, newDataKey, openSecret, sealSecret, unwrapDataKey, wrapDataKey } from "../secrets/envelope.ts";
import { type Result, refuse } from "./result.ts";
import type { Row, Store } from "./store.ts";

interface SecretRow extends Row {
  name: string;
  version: number;
  box: string | null;
  created_at: number;
  updated_at: number;
  last_used_at: number | null;
}

/** The data key is wrapped under a master key that the configuration does not have. */
export class MasterKeyMissing extends Error {
  readonly id: string;

  constructor(id: string) {
    super(`the master key ${id} is not in the configuration`);
    this.id = id;
  }
}

/** Work that opens what is sealed. What does not open is somebody's to mend: it is said and logged, and the rest serves on. */
export function unlocked<T>(tenant: TenantId, work: () => Result<T>): Result<T> {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof SealBroken) {
      console.error(JSON.stringify({ level: "error", message: "a sealed secret does not open: its row was changed", tenant }));
      return refuse("unavailable", "This secret is stored but does not open. PUT it again.");
    }
    if (!(cause instanceof MasterKeyMissing)) throw cause;
    console.error(JSON.stringify({ level: "error", message: "a data key is wrapped under a master key that is not configured", tenant, master_key: cause.id }));
    return refuse("unavailable", `This tenant's secrets are wrapped under the master key ${cause.id}, which is not configured. The operator adds it to LEASEHOLD_PREVIOUS_MASTER_KEYS.`);
  }
}

const USE_RESOLUTION_MS = 60_000;
const COLUMNS = "name, version, box, created_at, updated_at, last_used_at";

export class SecretVault {
  readonly #store: Store;
  readonly #tenant: TenantId;
  readonly #masterKeys: readonly MasterKey[];

  /** `masterKeys`: the current one first. */
  constructor(tenant: TenantId, store: Store, masterKeys: readonly MasterKey[]) {
    this.#tenant = tenant;
    this.#store = store;
    this.#masterKeys = masterKeys;
  }

  find(name: string): Secret | null {
    const row = this.#row(name);
    return row?.box ? toSecret(row) : null;
  }

  list(after: string, limit: number): Secret[] {
    return this.#store.all<SecretRow>(`SELECT ${COLUMNS} FROM secrets WHERE name > ? AND box IS NOT NULL ORDER BY name LIMIT ?`, after, limit).map(toSecret);
  }

  count(): number {
    return this.#store.first<{ n: number }>("SELECT count(*) AS n FROM secrets WHERE box IS NOT NULL")?.n ?? 0;
  }

  put(name: SecretName, value: string, now: number): Secret {
    const version = (this.#row(name)?.version ?? 0) + 1;
    const box = sealSecret(value, this.#dataKey(now), { tenant: this.#tenant, name, version });
    this.#store.run(
      `INSERT INTO secrets (name, version, box, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET version = excluded.version, box = excluded.box, updated_at = excluded.updated_at, last_used_at = NULL,
         created_at = CASE WHEN box IS NULL THEN excluded.created_at ELSE created_at END`,
      name, version, box, now, now,
    );
    return this.find(name) as Secret;
  }

  delete(name: string): void {
    this.#store.run("UPDATE secrets SET box = NULL, last_used_at = NULL WHERE name = ?", name);
  }

  /** The value, for the Worker's own use; null where there is none. Throws `SealBroken` where the row was tampered with. */
  open(name: string, now: number): string | null {
    const row = this.#row(name);
    if (!row?.box) return null;
    const value = openSecret(row.box, this.#dataKey(now), { tenant: this.#tenant, name, version: row.version });
    if ((row.last_used_at ?? 0) + USE_RESOLUTION_MS <= now) this.#store.run("UPDATE secrets SET last_used_at = ? WHERE name = ?", now, name);
    return value;
  }

  /** A value of another kind than the tenant's own secrets, sealed for `place`; the caller keeps the box. */
  seal(value: string, place: string, now: number): string {
    return sealSecret(value, this.#dataKey(now), { tenant: this.#tenant, name: place, version: 1 });
  }

  unseal(box: string, place: string, now: number): string {
    return openSecret(box, this.#dataKey(now), { tenant: this.#tenant, name: place, version: 1 });
  }

  /** Whether the data key was wrapped under another master key than the current one; it no longer is. */
  rewrap(now: number): boolean {
    const before = this.#wrapped()?.master_key ?? null;
    if (before === null || before === this.#current.id) return false;
    this.#dataKey(now);
    return true;
  }

  get masterKeyId(): string {
    return this.#current.id;
  }

  get #current(): MasterKey {
    return this.#masterKeys[0] as MasterKey;
  }

  #dataKey(now: number): Uint8Array<ArrayBuffer> {
    const stored = this.#wrapped();
    if (!stored) return this.#keep(newDataKey(), now);
    const master = this.#masterKeys.find((key) => key.id === stored.master_key);
    if (!master) throw new MasterKeyMissing(stored.master_key);
    const dataKey = unwrapDataKey(stored.box, master, this.#tenant);
    return master === this.#current ? dataKey : this.#keep(dataKey, now);
  }

  #keep(dataKey: Uint8Array<ArrayBuffer>, now: number): Uint8Array<ArrayBuffer> {
    this.#store.run(
      "INSERT INTO data_key (id, master_key, box, wrapped_at) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET master_key = excluded.master_key, box = excluded.box, wrapped_at = excluded.wrapped_at",
      this.#current.id, wrapDataKey(dataKey, this.#current, this.#tenant), now,
    );
    return dataKey;
  }

  #wrapped(): { master_key: string; box: string } | null {
    return this.#store.first<{ master_key: string; box: string }>("SELECT master_key, box FROM data_key WHERE id = 1");
  }

  #row(name: string): SecretRow | null {
    return this.#store.first<SecretRow>(`SELECT ${COLUMNS} FROM secrets WHERE name = ?`, name);
  }
}

function toSecret(row: SecretRow): Secret {
  return {
    name: row.name as SecretName,
    version: row.version,
    created_at: toTimestamp(row.created_at),
    updated_at: toTimestamp(row.updated_at),
    last_used_at: row.last_used_at === null ? null : toTimestamp(row.last_used_at),
  };
}
