/**
 * Keys of the tenant: made, listed, rotated, revoked; and which pages may embed a publishable one.
 *
 * - A revoked key is refused from the next call on, and its leases end with it unless the caller lets them run out.
 * - A tenant has at most 1,000 active keys, old ones in the overlap of a rotation among them.
 * - A key whose time has passed is refused at once; the alarm only writes that down. Its leases run out by themselves.
 */
import { type KeyId, sortableId } from "../../../schema/contract/ids.ts";
import { keyHint, makeKey } from "../../../schema/contract/keys.ts";
import type { Key, KeyCreate, KeyCreated, KeyRotate } from "../../../schema/contract/tenants.ts";
import { toTimestamp } from "../../../schema/contract/amounts.ts";
import { settingsOf } from "../../env.ts";
import type { MasterKey } from "../../secrets/envelope.ts";
import { derivedBytes } from "../../tenants/derive.ts";
import { sha256Hex } from "../audit-chain.ts";
import { UNKNOWN_KEY, type Identified, isUsable } from "../identify.ts";
import { type StoredKey, toKey } from "../key-ring.ts";
import { type Refused, type Result, done, refuse } from "../result.ts";
import type { Call, Chore, Room } from "../room.ts";

/** Bytes that a key's 32 characters are drawn from: far more than rejection sampling can use up. */
const DERIVED_BYTES = 1024;
const NO_KEY = "This tenant has no such key.";
const MAX_ACTIVE_KEYS = 1000;

interface Minted {
  readonly id: KeyId;
  readonly hash: string;
  readonly hint: string;
}

export class KeyDesk {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  create(call: Call, body: KeyCreate): Promise<Result<KeyCreated>> {
    const room = this.#room;
    return this.#mint(call, body.type, ({ id, hash, hint }, who, now) => {
      if (body.expires_at && Date.parse(body.expires_at) <= now) return refuse("invalid-request", "expires_at: lies in the past.");
      const full = this.#fullRefusal(now);
      if (full) return full;
      const key = room.keys.add(id, hash, hint, body, now);
      const details = { key_id: id, type: key.type, name: key.name, scopes: key.scopes, origins: key.origins, limits: key.limits, require_signed_user: key.requireSignedUser, expires_at: body.expires_at };
      room.log(now, { action: "KEY_CREATED", actor: who.actor, requestId: call.requestId, details });
      this.#armExpiry();
      return done({ id });
    });
  }

  list(call: Call, after: string, limit: number): Result<Key[]> {
    return this.#room.as(call, () => done(this.#room.keys.list(after, limit).map(toKey)));
  }

  async rotate(call: Call, oldId: string, { overlap_s }: KeyRotate): Promise<Result<KeyCreated>> {
    const room = this.#room;
    const seen = room.as(call, () => {
      const found = room.keys.byId(oldId);
      return found ? done(found.type) : refuse("not-found", NO_KEY);
    });
    if (!seen.ok) return seen;
    return this.#mint(call, seen.value, ({ id, hash, hint }, who, now) => {
      const old = room.keys.byId(oldId);
      if (!old) return refuse("not-found", NO_KEY);
      if (!isUsable(old, now)) return refuse("conflict", "This key is revoked or expired: there is nothing to rotate. Make a new key.");
      if (old.rotatedTo) return refuse("conflict", `This key was rotated to ${old.rotatedTo}. Rotate that one.`);
      const full = overlap_s > 0 ? this.#fullRefusal(now) : null;
      if (full) return full;
      const endsAt = Math.min(now + overlap_s * 1000, old.expiresAt ?? Number.POSITIVE_INFINITY);
      room.keys.rotate(old, id, hash, hint, endsAt, now);
      room.log(now, { action: "KEY_ROTATED", actor: who.actor, requestId: call.requestId, details: { key_id: oldId, rotated_to: id, old_expires_at: toTimestamp(endsAt) } });
      this.#armExpiry();
      return done({ id });
    });
  }

  revoke(call: Call, id: string, leases: "revoke" | "keep"): Result<Key> {
    const room = this.#room;
    return room.as(call, (who, now) => {
      const key = room.keys.byId(id);
      if (!key) return refuse("not-found", NO_KEY);
      if (key.revokedAt === null) {
        room.keys.revoke(id, now);
        const ended = leases === "revoke" ? room.leases.revokeWhere((lease) => lease.key_id === id, now, who.actor, call.requestId) : 0;
        room.log(now, { action: "KEY_REVOKED", actor: who.actor, requestId: call.requestId, details: { key_id: id, leases_revoked: ended } });
      }
      return done(toKey({ ...key, revokedAt: key.revokedAt ?? now }));
    });
  }

  /** The origins that may embed this publishable key's widget. Needs no other credential: the key is public. */
  allowedOrigins(hash: string): Result<readonly string[]> {
    const key = this.#room.keys.byHash(hash);
    return key?.type === "publishable" && isUsable(key, Date.now()) ? done(key.origins) : refuse("unauthorized", UNKNOWN_KEY);
  }

  /** Writes down which keys have ended. */
  get chore(): Chore {
    return {
      name: "keys",
      nextAt: () => this.#room.keys.nextExpiry(),
      run: (now) =>
        this.#room.transact(() => {
          for (const key of this.#room.keys.takeEnded(now)) {
            this.#room.log(now, { action: "KEY_EXPIRED", actor: "system", details: { key_id: key.id, rotated_to: key.rotatedTo } });
          }
        }),
    };
  }

  /**
   * Stores a new key by its hash and answers with its text. With an idempotency key the text is derived from the master
   * key and its id, so that a repeat shows it again although it is stored nowhere; without one it is random.
   * A repeat after a rotation of the master key finds the one that it was derived from by the stored hash.
   */
  async #mint(call: Call, type: StoredKey["type"], store: (minted: Minted, who: Identified, now: number) => Result<{ id: KeyId }>): Promise<Result<KeyCreated>> {
    const room = this.#room;
    const id = `key_${sortableId(Date.now())}` as KeyId;
    const text = call.idempotent ? await this.#derived(id, type, 0) : makeKey(type, room.tenant);
    const stored = room.as(call, (who, now) => room.idempotency.once(call.idempotent ?? null, now, () => store({ id, hash: sha256Hex(text), hint: keyHint(text) }, who, now)));
    if (!stored.ok) return stored;
    const key = room.keys.byId(stored.value.id);
    if (!key) throw new Error("a key that was just stored is gone");
    return done({ ...toKey(key), key: key.id === id ? text : await this.#textOf(key) });
  }

  async #textOf(key: StoredKey): Promise<string> {
    for (let at = 0; at < settingsOf(this.#room.env).masterKeys.length; at++) {
      const text = await this.#derived(key.id, key.type, at);
      if (this.#room.keys.byHash(sha256Hex(text))?.id === key.id) return text;
    }
    throw new Error(`the text of ${key.id} can't be derived again: its master key is no longer configured`);
  }

  async #derived(id: KeyId, type: StoredKey["type"], masterKeyAt: number): Promise<string> {
    const { tenant, env } = this.#room;
    const master = settingsOf(env).masterKeys[masterKeyAt] as MasterKey;
    return makeKey(type, tenant, await derivedBytes(master.bytes, `key\n${tenant}\n${id}`, DERIVED_BYTES));
  }

  #fullRefusal(now: number): Refused | null {
    if (this.#room.keys.active(now) < MAX_ACTIVE_KEYS) return null;
    return refuse("conflict", `The tenant has ${MAX_ACTIVE_KEYS} active keys, the most there may be. Revoke those that are not in use.`);
  }

  #armExpiry(): void {
    const at = this.#room.keys.nextExpiry();
    if (at !== null) this.#room.arm(at);
  }
}
