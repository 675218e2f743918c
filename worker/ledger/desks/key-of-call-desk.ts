/**
 * Which request an idempotency key of the operator came with, where the request is for no tenant that there is yet: a
 * tenant's own object can't know what the key came with for another id. The catalogue's object keeps it, as the
 * operator's own.
 *
 * - `claim` before the work, `release` where that was refused: a refusal may be retried, with another request too.
 */
import { type Result, done } from "../result.ts";
import type { Call, Room } from "../room.ts";

export class KeyOfCallDesk {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  /** Refused where the key came with another request, also where that is still being done. */
  claim(call: Call): Result<null> {
    const { idempotency } = this.#room;
    return this.#room.as<null>(call, (_who, now) => idempotency.once(call.idempotent ?? null, now, () => done(null)));
  }

  release(call: Call): Result<null> {
    const { idempotency } = this.#room;
    return this.#room.as<null>(call, () => {
      if (call.idempotent) idempotency.forget(call.idempotent);
      return done(null);
    });
  }
}
