/**
 * The secrets with which the tenant's back end signs its users. Each method runs inside the object's transaction.
 *
 * - The newest signs; the one before it is accepted until the end of its overlap. Older ones are gone.
 * - Kept sealed under the tenant's data key; what was opened stays in memory, as every signed grant needs it.
 */
import type { TenantId } from "../../schema/contract/ids.ts";
import type { UserIdentity } from "../../schema/contract/tenants.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import { type MasterKey, toBase64Url } from "../secrets/envelope.ts";
import { isSigned } from "../tenants/user-signature.ts";
import type { StoredKey } from "./key-ring.ts";
import { type Result, done, refuse } from "./result.ts";
import { SecretVault } from "./secret-vault.ts";
import type { Row, Store } from "./store.ts";

interface IdentityRow extends Row {
  version: number;
  box: string;
  created_at: number;
  /** Null: the current one. */
  valid_until: number | null;
}

const NOT_SIGNED = "This key grants leases to signed users alone. Send `user`, and `user_signature` from your back end.";
const WRONG = "user_signature does not fit this user, or has expired. Sign the very id that `user` states, under the current identity secret.";

export class UserIdentities {
  readonly #store: Store;
  readonly #vault: SecretVault;
  readonly #opened = new Map<number, string>();

  constructor(tenant: TenantId, store: Store, masterKeys: readonly MasterKey[]) {
    this.#store = store;
    this.#vault = new SecretVault(tenant, store, masterKeys);
  }

  /** Whether the user was signed. Refused: a signature that does not fit, or none where the key requires one. */
  admit(key: StoredKey | null, user: string | null, signature: string | null, now: number): Result<boolean> {
    if (user === null || signature === null) return key?.requireSignedUser ? refuse("user-not-verified", NOT_SIGNED) : done(false);
    const fits = this.#accepted(now).some((row) => isSigned(this.#open(row, now), user, signature, now));
    return fits ? done(true) : refuse("user-not-verified", WRONG);
  }

  state(now: number): UserIdentity {
    const [current, previous] = this.#accepted(now);
    return {
      created_at: current ? toTimestamp(current.created_at) : null,
      previous_until: previous?.valid_until ? toTimestamp(previous.valid_until) : null,
    };
  }

  /** A new secret takes the current one's place, which is accepted for `overlapSeconds` more. Answers its version. */
  rotate(overlapSeconds: number, now: number): number {
    const version = (this.#store.first<{ version: number | null }>("SELECT max(version) AS version FROM user_identity")?.version ?? 0) + 1;
    const secret = `lh_us_${toBase64Url(crypto.getRandomValues(new Uint8Array(32)))}`;
    this.#store.run("DELETE FROM user_identity WHERE valid_until IS NOT NULL");
    this.#store.run("UPDATE user_identity SET valid_until = ?", now + overlapSeconds * 1000);
    this.#store.run("INSERT INTO user_identity (version, box, created_at) VALUES (?, ?, ?)", version, this.#vault.seal(secret, placeOf(version), now), now);
    return version;
  }

  /** The secret of this version; null where it is gone. */
  secretOf(version: number, now: number): string | null {
    const row = this.#store.first<IdentityRow>("SELECT version, box, created_at, valid_until FROM user_identity WHERE version = ?", version);
    return row && this.#vault.unseal(row.box, placeOf(version), now);
  }

  /** The newest first. */
  #accepted(now: number): IdentityRow[] {
    const rows = this.#store.recall("user identities", ["user_identity"], () =>
      this.#store.all<IdentityRow>("SELECT version, box, created_at, valid_until FROM user_identity ORDER BY version DESC"),
    );
    return rows.filter(({ valid_until }) => valid_until === null || valid_until > now);
  }

  #open(row: IdentityRow, now: number): string {
    let secret = this.#opened.get(row.version);
    if (secret === undefined) {
      secret = this.#vault.unseal(row.box, placeOf(row.version), now);
      this.#opened.clear();
      this.#opened.set(row.version, secret);
    }
    return secret;
  }
}

const placeOf = (version: number) => `user-identity:${version}`;
