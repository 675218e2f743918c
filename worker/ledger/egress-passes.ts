/**
 * Passes: bytes of the day's egress that one lease may be sent without asking again. Each method runs inside the
 * object's transaction.
 *
 * - A pass holds its bytes in the day's window when it is drawn. It is settled once, by what was used of it; one that is
 *   not settled by its end and a while after (the Worker's isolate is gone) counts whole.
 * - So held and posted bytes are never fewer than what was set out to be sent, and never above the limit.
 * - None is drawn for a model of a few chunks, nor near the limit: there every chunk is decided by itself.
 */
import { CHUNK_BYTES } from "../../schema/contract/models.ts";
import { sortableId } from "../../schema/contract/ids.ts";
import type { BookKeeper } from "./books.ts";
import type { Window } from "./decide-hold.ts";
import type { Store } from "./store.ts";

/** How long a pass may be used. A lease that is revoked meanwhile is refused its next pass: that is the lag, and a promise of docs/security.md. */
export const PASS_MS = 1_000;
/** How long an isolate waits, after the end, for a request that it can tell the object with what was used. */
export const TELL_MS = 3_000;
/** The Worker settles within seconds of the end, or never. */
const SETTLE_MS = 60_000;
const PASS_BYTES = 16 * CHUNK_BYTES;
const SMALL_MODEL_BYTES = 2 * CHUNK_BYTES;
/** With less than this left of the day, nothing is drawn ahead. */
const NEAR_LIMIT_BYTES = 1024 ** 3;

export interface DrawnPass {
  readonly id: string;
  readonly bytes: number;
  readonly until: number;
}

export class EgressPasses {
  readonly #store: Store;
  readonly #books: BookKeeper;

  constructor(store: Store, books: BookKeeper) {
    this.#store = store;
    this.#books = books;
  }

  /** Adds what the passes hold to the mirror of what is held. To be called once, right after that was emptied. */
  fillMirror(): void {
    for (const { day, bytes } of this.#store.all<{ day: string; bytes: number }>("SELECT day, bytes FROM passes")) this.#books.postEgress(day, 0, bytes);
  }

  /** `egress`: the day's window as it stands. */
  draw(day: string, modelBytes: number, egress: Window, now: number): DrawnPass | null {
    const left = egress.limit === null ? Number.MAX_SAFE_INTEGER : egress.limit - egress.held - egress.posted;
    if (modelBytes <= SMALL_MODEL_BYTES || left < NEAR_LIMIT_BYTES) return null;
    this.lapse(now);
    const pass: DrawnPass = { id: `pass_${sortableId(now)}`, bytes: Math.min(PASS_BYTES, modelBytes), until: now + PASS_MS };
    this.#store.run("INSERT INTO passes (id, day, bytes, lapses_at) VALUES (?, ?, ?, ?)", pass.id, day, pass.bytes, pass.until + SETTLE_MS);
    this.#books.postEgress(day, 0, pass.bytes);
    return pass;
  }

  /** `used`: bytes that were set out to be sent. A pass that is settled already, or has lapsed, stays as it is. */
  settle(id: string, used: number): void {
    const pass = this.#store.first<{ day: string; bytes: number }>("SELECT day, bytes FROM passes WHERE id = ?", id);
    if (!pass) return;
    this.#store.run("DELETE FROM passes WHERE id = ?", id);
    this.#books.postEgress(pass.day, Math.min(used, pass.bytes), -pass.bytes);
  }

  lapse(now: number): void {
    for (const { id, bytes } of this.#store.all<{ id: string; bytes: number }>("SELECT id, bytes FROM passes WHERE lapses_at <= ?", now)) this.settle(id, bytes);
  }
}
