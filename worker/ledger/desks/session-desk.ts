/**
 * Sessions of the console as the tenant object sees them: who signs in and out, and who is signed in. It keeps none of
 * them, but those that were signed out of: each request's session names a key, and that key is looked up anew.
 *
 * - The operator's sessions are the catalogue's object's: the Worker asks it about each of them (`isOver`), for no tenant's
 *   object knows of them.
 */
import { toTimestamp } from "../../../schema/contract/amounts.ts";
import { type KeyId, sortableId } from "../../../schema/contract/ids.ts";
import { SESSION_MS, type Session } from "../../../schema/contract/session.ts";
import type { OneSession } from "../../tenants/credential.ts";
import type { Identified } from "../identify.ts";
import type { StoredKey } from "../key-ring.ts";
import { type Result, done } from "../result.ts";
import type { Call, Room } from "../room.ts";

/** What a session stands for: a tenant's key, or the operator (null). */
export interface Opened extends OneSession {
  readonly keyId: KeyId | null;
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
      const endsAt = Math.min(now + SESSION_MS, key?.expiresAt ?? Number.POSITIVE_INFINITY);
      room.log(now, { action: "CONSOLE_SIGNED_IN", actor: who.actor, requestId: call.requestId, details: { ...(key && { key_id: key.id, scopes: key.scopes }), expires_at: toTimestamp(endsAt) } });
      return done({ id: `ses_${sortableId(now)}`, keyId: key?.id ?? null, endsAt, session: shown(who, endsAt) });
    });
  }

  read(call: Call): Result<Session> {
    return this.#room.as(call, (who) => done(shown(who, sessionOf(call)?.endsAt ?? null)));
  }

  /** From then on no copy of its cookie is taken. A request that brought the key itself has no session to end. */
  close(call: Call): Result<null> {
    const room = this.#room;
    return room.as(call, (who, now) => {
      const session = sessionOf(call);
      const key = keyOf(who);
      if (session) {
        room.endedSessions.end(session.id, session.endsAt, now);
        room.log(now, { action: "CONSOLE_SIGNED_OUT", actor: who.actor, requestId: call.requestId, details: key ? { key_id: key.id } : {} });
      }
      return done(null);
    });
  }

  /** Whether it was signed out of. It is no credential's to ask: the Worker does, of a session that it has authenticated. */
  isOver(id: string): boolean {
    return this.#room.endedSessions.has(id);
  }
}

function sessionOf({ presented }: Call): OneSession | null {
  return presented.kind === "session" || presented.kind === "operator" ? (presented.session ?? null) : null;
}

function keyOf({ key, kind }: Identified): StoredKey | null {
  if (!key && kind !== "operator") throw new Error("a session is a secret key's or the operator's");
  return key;
}

function shown(who: Identified, endsAt: number | null): Session {
  const key = keyOf(who);
  const expires = { expires_at: endsAt === null ? null : toTimestamp(endsAt) };
  return key ? { kind: "secret", tenant: who.tenant, key_id: key.id, scopes: [...key.scopes], ...expires } : { kind: "operator", tenant: null, key_id: null, scopes: [], ...expires };
}
