/** Secrets of the tenant: put, listed by name, deleted; opened only for the Worker's own use. */
import type { Secret, SecretName, SecretsRewrapped } from "../../../schema/contract/secrets.ts";
import { settingsOf } from "../../env.ts";
import { type Result, done, refuse } from "../result.ts";
import type { Call, Room } from "../room.ts";
import { SecretVault, unlocked } from "../secret-vault.ts";

const MAX_SECRETS = 100;
const NO_SECRET = "This tenant has no such secret.";

export class SecretDesk {
  readonly #room: Room;
  readonly #vault: SecretVault;

  constructor(room: Room) {
    this.#room = room;
    this.#vault = new SecretVault(room.tenant, room.store, settingsOf(room.env).masterKeys);
  }

  list(call: Call, after: string, limit: number): Result<Secret[]> {
    return this.#room.as(call, () => done(this.#vault.list(after, limit)));
  }

  /** `created`: the name had no value before. */
  put(call: Call, name: SecretName, value: string): Result<{ secret: Secret; created: boolean }> {
    const room = this.#room;
    return unlocked(this.#room.tenant, () =>
      room.as(call, (who, now) => {
        const created = this.#vault.find(name) === null;
        if (created && this.#vault.count() >= MAX_SECRETS) return refuse("conflict", `A tenant may have ${MAX_SECRETS} secrets and has them. Delete one.`);
        const secret = this.#vault.put(name, value, now);
        room.log(now, { action: "SECRET_PUT", actor: who.actor, requestId: call.requestId, details: { name, version: secret.version } });
        return done({ secret, created });
      }),
    );
  }

  delete(call: Call, name: SecretName): Result<Secret> {
    const room = this.#room;
    return room.as(call, (who, now) => {
      const secret = this.#vault.find(name);
      if (!secret) return refuse("not-found", NO_SECRET);
      this.#vault.delete(name);
      room.log(now, { action: "SECRET_DELETED", actor: who.actor, requestId: call.requestId, details: { name, version: secret.version } });
      return done(secret);
    });
  }

  /** Wraps the tenant's data key under the current master key, where it is not yet. */
  rewrap(call: Call): Result<SecretsRewrapped> {
    const room = this.#room;
    return unlocked(this.#room.tenant, () =>
      room.as(call, (who, now) => room.idempotency.once(call.idempotent ?? null, now, () => {
        const rewrapped = this.#vault.rewrap(now);
        const master_key = this.#vault.masterKeyId;
        if (rewrapped) room.log(now, { action: "SECRETS_REWRAPPED", actor: who.actor, requestId: call.requestId, details: { master_key } });
        return done({ master_key, rewrapped });
      })),
    );
  }

  /** The value of a secret. It goes from here to the upstream that it is for, never into an answer. */
  use(call: Call, name: SecretName): Result<string> {
    return unlocked(this.#room.tenant, () =>
      this.#room.as(call, (_who, now) => {
        const value = this.#vault.open(name, now);
        return value === null ? refuse("not-found", `This tenant has no secret ${name}. PUT it first.`) : done(value);
      }),
    );
  }
}
