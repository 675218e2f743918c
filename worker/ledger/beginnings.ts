/**
 * The beginning of a revision, around the storing of its manifest, whoever begins it: a publisher, an import, a grant. Each
 * method runs inside the object's transaction.
 *
 * - `open` notes the draft before its manifest is stored, `close` finds it still there after; what is refused in between
 *   gives the manifest up, and it is collected.
 */
import type { Begun } from "./draft-book.ts";
import { type Refused, type Result, done, refuse } from "./result.ts";
import type { Room } from "./room.ts";
import { ShelfLimits } from "./shelf-limits.ts";

export class Beginnings {
  readonly #room: Room;
  readonly #limits: ShelfLimits;

  constructor(room: Room) {
    this.#room = room;
    this.#limits = new ShelfLimits(room);
  }

  /** Gives the name of the draft's making; null: the revision was committed, and is no open draft any more. */
  open({ model, revision, manifestBytes }: Begun, now: number): Result<string | null> {
    const { shelf } = this.#room;
    if (this.isCommitted(model, revision)) return done(null);
    const opened = this.#limits.refusesModel(model, now, shelf.drafts.models(model)) ?? this.#limits.refusesManifest({ model, revision, manifestBytes }, now) ?? shelf.drafts.open({ model, revision, manifestBytes }, now);
    const dropAt = shelf.drafts.nextDrop();
    if (dropAt !== null) this.#room.arm(dropAt);
    return opened;
  }

  /** Its manifest is stored. Refused where the draft of that making, or the revision, is not there any more. */
  stillOpen(revision: Begun, admission: string | null, now: number): Refused | null {
    const { drafts } = this.#room.shelf;
    if (this.isCommitted(revision.model, revision.revision) || (admission !== null && drafts.holds(revision, admission))) return null;
    this.disown(revision, now);
    return refuse("conflict", "This revision was deleted while it was begun. Begin it again.");
  }

  /** Nothing is begun of the manifest that was stored. */
  disown(revision: Begun, now: number): void {
    this.#room.shelf.drafts.disown(revision);
    this.#room.arm(now);
  }

  isCommitted(model: string, revision: string): boolean {
    return this.#room.shelf.rollouts.find(model, revision)?.committedAt != null;
  }
}
