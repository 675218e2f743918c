/**
 * Imports from a hub: begun, shown, cancelled; and the chore that carries them on, a slice at a time (import-slices.ts).
 *
 * - `MAX_BESIDE` imports of a tenant run beside each other, those that wait longest, with one chunk of each in memory. An
 *   import that has had its slice goes to the end of the queue: none keeps another waiting for longer than a slice.
 * - Cancelling ends the slice that is under way, and its connection, at once.
 * - What fails is tried again after growing pauses, a bounded number of times; a chunk that came resets them.
 */
import { IMPORT_FAULTS, type ImportCreate, type ImportFault, type ImportId, type ModelImport } from "../../../schema/contract/imports.ts";
import { type ModelId, type RequestId, sortableId } from "../../../schema/contract/ids.ts";
import type { SecretName } from "../../../schema/contract/secrets.ts";
import { settingsOf } from "../../env.ts";
import { afterDeaths, afterFailure } from "../../imports/after-failure.ts";
import { Hub, HubFault } from "../../imports/hub.ts";
import { GRACE_MS } from "../collection-book.ts";
import { ImportBook, MAX_ACTIVE_IMPORTS, type StoredImport } from "../import-book.ts";
import { Cancelled, ImportSlices } from "../import-slices.ts";
import { type Result, done, refuse } from "../result.ts";
import type { Call, Chore, Room } from "../room.ts";
import { SecretVault, unlocked } from "../secret-vault.ts";
import { ShelfLimits } from "../shelf-limits.ts";
import type { ModelDesk } from "./model-desk.ts";
import { flowRefusal } from "./review-desk.ts";
import type { UploadDesk } from "./upload-desk.ts";

const NO_IMPORT = "This tenant has no such import.";
const TOKEN = "huggingface-token" as SecretName;
const MAX_BESIDE = 3;
/** While a slice is under way: when the alarm takes the import up again if the object has died. */
const WATCH_MS = 15_000;

export class ImportDesk {
  readonly #room: Room;
  readonly #book: ImportBook;
  readonly #slices: ImportSlices;
  readonly #vault: SecretVault;
  readonly #limits: ShelfLimits;
  /** What ends each slice that is under way. */
  readonly #running = new Map<ImportId, AbortController>();

  constructor(room: Room, models: ModelDesk, uploads: UploadDesk) {
    this.#room = room;
    this.#book = new ImportBook(room.store);
    this.#slices = new ImportSlices(room, models, uploads, this.#book);
    this.#limits = new ShelfLimits(room);
    this.#vault = new SecretVault(room.tenant, room.store, settingsOf(room.env).masterKeys);
  }

  start(call: Call, model: ModelId, ask: ImportCreate): Result<ModelImport> {
    const room = this.#room;
    return room.as(call, (who, now) =>
      room.idempotency.once(call.idempotent ?? null, now, () => {
        const refused = flowRefusal(ask.control_flow === true, room.store) ?? this.#limits.refusesModel(model, now, room.shelf.drafts.models(model));
        if (refused) return refused;
        if (this.#book.active() >= MAX_ACTIVE_IMPORTS) return refuse("conflict", `A tenant may have ${MAX_ACTIVE_IMPORTS} imports under way and has them. Wait for one, or cancel it.`);
        const id = `imp_${sortableId(now)}` as ImportId;
        this.#book.add(id, model, ask, { actor: who.actor, requestId: call.requestId }, now);
        room.log(now, { action: "MODEL_IMPORT_STARTED", actor: who.actor, model, requestId: call.requestId, details: { import_id: id, source: ask.source, revision: ask.revision, variants: ask.variants } });
        room.arm(now);
        return done(this.#book.find(id) as ModelImport);
      }),
    );
  }

  read(call: Call, id: string): Result<ModelImport> {
    return this.#room.as(call, () => this.#shown(id));
  }

  list(call: Call, after: string, limit: number): Result<ModelImport[]> {
    return this.#room.as(call, () => done(this.#book.list(after, limit)));
  }

  /** What it has stored stays for a day: another import of the same model goes on from there. */
  cancel(call: Call, id: string): Result<ModelImport> {
    const room = this.#room;
    return room.as(call, (who, now) => {
      const found = this.#book.find(id);
      if (!found) return refuse("not-found", NO_IMPORT);
      if (!this.#book.isActive(id)) return found.state === "cancelled" ? done(found) : refuse("conflict", `This import is ${found.state} already.`);
      this.#cancel(found, who.actor, call.requestId, now);
      return this.#shown(id);
    });
  }

  /** Cancels those of a model that is deleted. To be called in its transaction. Gives how many. */
  cancelOf(model: string, actor: string, requestId: RequestId, now: number): number {
    const under = this.#book.activeOf(model);
    for (const one of under) this.#cancel(one, actor, requestId, now);
    return under.length;
  }

  #cancel({ id, model }: Pick<StoredImport, "id" | "model">, actor: string, requestId: RequestId, now: number): void {
    this.#book.end(id, { state: "cancelled" }, now);
    this.#running.get(id)?.abort();
    this.#room.shelf.collections.expect(now + GRACE_MS);
    this.#room.log(now, { action: "MODEL_IMPORT_ENDED", actor, model, requestId, details: { import_id: id, state: "cancelled" } });
  }

  get chore(): Chore {
    return {
      name: "imports",
      aside: true,
      nextAt: (now) => {
        const next = this.#running.size < MAX_BESIDE ? this.#book.nextAt([...this.#running.keys()]) : null;
        return this.#running.size === 0 ? next : Math.min(next ?? Number.POSITIVE_INFINITY, now + WATCH_MS);
      },
      run: async (now) => {
        const due = this.#book.due(now, [...this.#running.keys()], MAX_BESIDE - this.#running.size);
        await Promise.all(due.map((one) => this.#slice(one, now)));
      },
    };
  }

  async #slice(one: StoredImport, now: number): Promise<void> {
    const over = this.#room.transact(() => {
      const ended = afterDeaths(this.#book.beginSlice(one.id));
      if (ended) this.#fail(one, ended.code, ended.detail, now);
      return ended !== null;
    });
    if (over) return;
    const cancelled = new AbortController();
    this.#running.set(one.id, cancelled);
    this.#room.arm(now + WATCH_MS);
    try {
      await this.#advance(one, cancelled.signal);
    } finally {
      this.#running.delete(one.id);
      // Not only when the others of this run have ended too.
      const next = this.#book.nextAt([...this.#running.keys()]);
      if (next !== null) this.#room.arm(Math.max(next, Date.now() + 1));
    }
  }

  async #advance(one: StoredImport, cancelled: AbortSignal): Promise<void> {
    try {
      await this.#slices.advance(one, this.#hub(cancelled), (revision, now) => this.#log(one, { state: "done", revision }, now));
      this.#room.transact(() => this.#book.queue(one.id, Date.now()));
    } catch (cause) {
      this.#slices.forget(one.id);
      if (!(cause instanceof Cancelled)) this.#failed(one, cause);
    }
  }

  #failed(one: StoredImport, cause: unknown): void {
    const now = Date.now();
    if (!(cause instanceof HubFault)) console.error(JSON.stringify({ level: "error", message: "a slice of an import failed", tenant: this.#room.tenant, import: one.id, error: String(cause) }));
    this.#room.transact(() => {
      const attempts = this.#book.attempts(one.id);
      if (attempts === null) return; // cancelled meanwhile
      const then = afterFailure(cause, attempts, now);
      if (then.kind === "ended") this.#fail(one, then.code, then.detail, now);
      else this.#book.retry(one.id, then.error, then.at, now);
    });
  }

  #fail(one: StoredImport, code: ImportFault, detail: string, now: number): void {
    const fault = { code, detail: `${detail} ${IMPORT_FAULTS[code]}` };
    this.#book.end(one.id, { state: "failed", fault }, now);
    this.#room.shelf.collections.expect(now + GRACE_MS);
    this.#log(one, { state: "failed", fault: code }, now);
  }

  #log({ id, actor, model, requestId }: StoredImport, details: Readonly<Record<string, string>>, now: number): void {
    this.#room.log(now, { action: "MODEL_IMPORT_ENDED", actor, model, requestId, details: { import_id: id, ...details } });
  }

  #shown(id: string): Result<ModelImport> {
    const found = this.#book.find(id);
    return found ? done(found) : refuse("not-found", NO_IMPORT);
  }

  #hub(cancelled: AbortSignal): Hub {
    const token = unlocked(this.#room.tenant, () => this.#room.transact(() => done(this.#vault.open(TOKEN, Date.now()))));
    if (!token.ok) throw new HubFault("source-forbidden", token.refusal.detail);
    return new Hub(settingsOf(this.#room.env).hubEndpoint, token.value, cancelled);
  }
}
