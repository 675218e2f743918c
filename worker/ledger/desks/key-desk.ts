/** Keys of the tenant: made, listed, revoked; and which pages may embed a publishable one. */
import { type KeyId, sortableId } from "../../../schema/contract/ids.ts";
import { keyHint, makeKey } from "../../../schema/contract/keys.ts";
import type { Key, KeyCreate, KeyCreated } from "../../../schema/contract/tenants.ts";
import { settingsOf } from "../../env.ts";
import { derivedBytes } from "../../tenants/derive.ts";
import { sha256Hex } from "../audit-chain.ts";
import { UNKNOWN_KEY, isUsable } from "../identify.ts";
import { toKey } from "../key-ring.ts";
import { type Result, done, refuse } from "../result.ts";
import type { Call, Room } from "../room.ts";

/** Bytes that a key's 32 characters are drawn from: far more than rejection sampling can use up. */
const DERIVED_BYTES = 1024;

export class KeyDesk {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  /**
   * Makes a key. With an idempotency key its text is derived from the master key and its id, so that a repeat shows it
   * again although it is stored nowhere; without one it is random.
   */
  async create(call: Call, body: KeyCreate): Promise<Result<KeyCreated>> {
    const room = this.#room;
    const repeat = room.idempotency.recall<{ id: KeyId }>(call.idempotent ?? null, Date.now());
    const id = repeat?.ok ? repeat.value.id : (`key_${sortableId(Date.now())}` as KeyId);
    const text = await this.#textOf(id, body.type, call);
    const stored = room.as(call, (who, now) =>
      room.idempotency.once(call.idempotent ?? null, now, () => {
        const key = room.keys.add(id, sha256Hex(text), keyHint(text), body, now);
        const details = { key_id: id, type: key.type, name: key.name, scopes: key.scopes, origins: key.origins };
        room.log(now, { action: "KEY_CREATED", actor: who.actor, requestId: call.requestId, details });
        return done({ id });
      }),
    );
    if (!stored.ok) return stored;
    const key = room.keys.byId(stored.value.id);
    if (!key) throw new Error("a key that was just stored is gone");
    // Of two first calls with one idempotency key the second finds the first's id, and derives that one's text.
    return done({ ...toKey(key), key: key.id === id ? text : await this.#textOf(key.id, key.type, call) });
  }

  list(call: Call, after: string, limit: number): Result<Key[]> {
    return this.#room.as(call, () => done(this.#room.keys.list(after, limit).map(toKey)));
  }

  revoke(call: Call, id: string): Result<Key> {
    const room = this.#room;
    return room.as(call, (who, now) => {
      const key = room.keys.byId(id);
      if (!key) return refuse("not-found", "This tenant has no such key.");
      if (key.revokedAt === null) {
        room.keys.revoke(id, now);
        room.log(now, { action: "KEY_REVOKED", actor: who.actor, requestId: call.requestId, details: { key_id: id } });
      }
      return done(toKey({ ...key, revokedAt: key.revokedAt ?? now }));
    });
  }

  /** The origins that may embed this publishable key's widget. Needs no other credential: the key is public. */
  allowedOrigins(hash: string): Result<readonly string[]> {
    const key = this.#room.keys.byHash(hash);
    return key?.type === "publishable" && isUsable(key, Date.now()) ? done(key.origins) : refuse("unauthorized", UNKNOWN_KEY);
  }

  async #textOf(id: KeyId, type: KeyCreate["type"], call: Call): Promise<string> {
    const { tenant, env } = this.#room;
    const random = call.idempotent ? await derivedBytes(settingsOf(env).masterKey, `key\n${tenant}\n${id}`, DERIVED_BYTES) : undefined;
    return makeKey(type, tenant, random);
  }
}
