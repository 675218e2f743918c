/**
 * Sessions of the console as the tenant object sees them: who signs in and out, and who is signed in. It keeps none of
 * them: each request's session names a key, and that key is looked up anew.
 */
import { toTimestamp } from "../../../schema/contract/amounts.ts";
import type { KeyId } from "../../../schema/contract/ids.ts";
import { SESSION_MS, type Session } from "../../../schema/contract/session.ts";
import type { Identified } from "../identify.ts";
import { type Result, done } from "../result.ts";
import type { Call, Room } from "../room.ts";

/** What a session of a tenant's key stands for, and until when. */
export interface Opened {
  readonly keyId: KeyId;
  readonly endsAt: number;
  readonly session: Session;
}

export class SessionDesk {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  open(call: Call): Result<Opened> {
    const room = this.#room;
    return room.as(call, (who, now) => {
      const key = keyOf(who);
      const endsAt = Math.min(now + SESSION_MS, key.expiresAt ?? Number.POSITIVE_INFINITY);
      room.log(now, { action: "CONSOLE_SIGNED_IN", actor: who.actor, requestId: call.requestId, details: { key_id: key.id, scopes: key.scopes, expires_at: toTimestamp(endsAt) } });
      return done({ keyId: key.id, endsAt, session: shown(who, endsAt) });
    });
  }

  read(call: Call): Result<Session> {
    return this.#room.as(call, (who) => done(shown(who, endOf(call))));
  }

  /** A request that brought the key itself has no session to end. */
  close(call: Call): Result<null> {
    const room = this.#room;
    return room.as(call, (who, now) => {
      if (endOf(call) !== null) room.log(now, { action: "CONSOLE_SIGNED_OUT", actor: who.actor, requestId: call.requestId, details: { key_id: keyOf(who).id } });
      return done(null);
    });
  }
}

const endOf = ({ presented }: Call): number | null => (presented.kind === "session" ? presented.endsAt : null);

function keyOf({ key }: Identified) {
  if (!key) throw new Error("a session is a secret key's");
  return key;
}

function shown(who: Identified, endsAt: number | null): Session {
  const key = keyOf(who);
  return { kind: "secret", tenant: who.tenant, key_id: key.id, scopes: [...key.scopes], expires_at: endsAt === null ? null : toTimestamp(endsAt) };
}
