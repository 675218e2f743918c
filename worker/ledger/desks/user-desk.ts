/** How the tenant's back end vouches for its users: the identity secret, made, rotated, never shown again. */
import type { UserIdentity, UserIdentityRotated } from "../../../schema/contract/tenants.ts";
import { type Result, done, refuse } from "../result.ts";
import type { Call, Room } from "../room.ts";
import { unlocked } from "../secret-vault.ts";
import type { UserIdentities } from "../user-identities.ts";

export class UserDesk {
  readonly #room: Room;
  readonly #users: UserIdentities;

  constructor(room: Room, users: UserIdentities) {
    this.#room = room;
    this.#users = users;
  }

  state(call: Call): Result<UserIdentity> {
    return this.#room.as(call, (_who, now) => done(this.#users.state(now)));
  }

  /** Makes the first secret too. A repeat with the same idempotency key shows the same one, as long as it is accepted. */
  rotate(call: Call, overlapSeconds: number): Result<UserIdentityRotated> {
    const room = this.#room;
    return unlocked(room.tenant, () =>
      room.as<UserIdentityRotated>(call, (who, now) => {
        const made = room.idempotency.once(call.idempotent ?? null, now, () => {
          const version = this.#users.rotate(overlapSeconds, now);
          room.log(now, { action: "USER_IDENTITY_ROTATED", actor: who.actor, requestId: call.requestId, details: { version, overlap_s: overlapSeconds } });
          return done({ version });
        });
        if (!made.ok) return made;
        const secret = this.#users.secretOf(made.value.version, now);
        return secret === null ? refuse("conflict", "The secret of this Idempotency-Key was rotated away. Use a new key for a new secret.") : done({ ...this.#users.state(now), secret });
      }),
    );
  }
}
