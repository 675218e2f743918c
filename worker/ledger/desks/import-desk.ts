/**
 * Imports from a hub: begun, shown, cancelled; and the chore that carries them on, a slice at a time.
 *
 * - Every slice ends in a state from which the next one goes on: a chunk is stored, then noted. What an object that died
 *   had in memory is one chunk and the state of a hash, which is made anew from the stored chunks.
 * - One import of a tenant runs at a time, the one that waits longest; at most one chunk of it is in memory.
 * - A hub that fails is asked again after growing pauses; a chunk that came resets them.
 */
import { createHash, type Hash } from "node:crypto";
import { IMPORT_FAULTS, type ImportCreate, type ImportFault, type ImportId, type ModelImport } from "../../../schema/contract/imports.ts";
import { type ModelId, type RequestId, type Sha256, sortableId } from "../../../schema/contract/ids.ts";
import { CHUNK_BYTES, type ModelFile, type RevisionCreate, revisionCreate } from "../../../schema/contract/models.ts";
import type { SecretName } from "../../../schema/contract/secrets.ts";
import { settingsOf } from "../../env.ts";
import { Hub, HubFault } from "../../imports/hub.ts";
import { buildOf, chooseFiles, configOf, isOfModel, requiresOf } from "../../imports/layout.ts";
import { inspectVariants } from "../../models/inspect.ts";
import { buildRevision } from "../../models/manifest.ts";
import { TenantBlobs } from "../../tenants/blobs.ts";
import { GRACE_MS } from "../collection-book.ts";
import { readConfig } from "../config.ts";
import { ImportBook, type ImportFile, MAX_ACTIVE_IMPORTS, type StoredImport } from "../import-book.ts";
import { type Result, done, refuse } from "../result.ts";
import type { Call, Chore, Room } from "../room.ts";
import { SecretVault, unlocked } from "../secret-vault.ts";
import type { ModelDesk } from "./model-desk.ts";
import type { UploadDesk } from "./upload-desk.ts";
import { flowRefusal } from "./review-desk.ts";

const NO_IMPORT = "This tenant has no such import.";
const TOKEN = "huggingface-token" as SecretName;
/** How long one slice fetches before the object looks around. */
const SLICE_MS = 10_000;
/** While a slice is under way: when the alarm takes the import up again if the object has died. */
const WATCH_MS = 15_000;
const MAX_PAUSE_MS = 60_000;
const MAX_ATTEMPTS = 10;
/** A file that came otherwise than its digest says may have been broken on the way; not time and again. */
const MAX_MISMATCHES = 3;
const MAX_CONFIG_BYTES = 1024 * 1024;

/** The import was cancelled while its slice was under way. */
class Cancelled extends Error {}

/** How far a file is, and the hashes of it so far. */
interface Reading {
  readonly importId: ImportId;
  readonly position: number;
  readonly sha256: Hash;
  readonly git: Hash | null;
  offset: number;
}

export class ImportDesk {
  readonly #room: Room;
  readonly #models: ModelDesk;
  readonly #uploads: UploadDesk;
  readonly #book: ImportBook;
  readonly #vault: SecretVault;
  #running = false;
  #reading: Reading | null = null;

  constructor(room: Room, models: ModelDesk, uploads: UploadDesk) {
    this.#room = room;
    this.#models = models;
    this.#uploads = uploads;
    this.#book = new ImportBook(room.store);
    this.#vault = new SecretVault(room.tenant, room.store, settingsOf(room.env).masterKeys);
  }

  start(call: Call, model: ModelId, ask: ImportCreate): Result<ModelImport> {
    const room = this.#room;
    return room.as(call, (who, now) =>
      room.idempotency.once(call.idempotent ?? null, now, () => {
        const refused = flowRefusal(ask.control_flow === true, room.store);
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
    this.#room.shelf.collections.expect(now + GRACE_MS);
    this.#room.log(now, { action: "MODEL_IMPORT_ENDED", actor, model, requestId, details: { import_id: id, state: "cancelled" } });
  }

  get chore(): Chore {
    return {
      name: "imports",
      aside: true,
      nextAt: (now) => (this.#running ? now + WATCH_MS : this.#book.nextAt()),
      run: async (now) => {
        const due = this.#running ? null : this.#book.due(now);
        if (!due) return;
        this.#running = true;
        this.#room.arm(now + WATCH_MS);
        try {
          await this.#advance(due);
        } finally {
          this.#running = false;
        }
      },
    };
  }

  async #advance(one: StoredImport): Promise<void> {
    try {
      if (one.commit === null || one.plan === null) return await this.#describe(one);
      const next = this.#book.files(one.id).find(({ digest }) => digest === null);
      return await (next ? this.#fetch(one, one.commit, next) : this.#publish(one));
    } catch (cause) {
      this.#reading = null;
      if (cause instanceof Cancelled) return;
      this.#failed(one, cause);
    }
  }

  async #describe(one: StoredImport): Promise<void> {
    const [hub, repository] = [this.#hub(), repositoryOf(one)];
    const model = await hub.describe(repository, one.ask.revision, isOfModel);
    const config = model.files.some(({ path }) => path === "config.json") ? configOf(await hub.text(repository, model.commit, "config.json", MAX_CONFIG_BYTES)) : null;
    const chosen = chooseFiles(model, config, one.ask.variants, one.ask);
    if (!chosen.ok) throw new HubFault(chosen.code, chosen.detail);
    const { files, task, usage } = chosen;
    this.#still(one, (now) => this.#book.plan(one.id, model.commit, { task, usage, licence: one.ask.licence ?? model.licence }, files, now));
  }

  async #fetch(one: StoredImport, commit: string, file: ImportFile): Promise<void> {
    const until = Date.now() + SLICE_MS;
    const reading = (this.#reading = await this.#resume(one, file));
    if (reading.offset < file.size) await this.#read(one, commit, file, reading, until);
    if (reading.offset < file.size) return;
    const [digest, git] = [reading.sha256.digest("hex") as Sha256, reading.git?.digest("hex") ?? null];
    this.#reading = null;
    if ((file.sha256 !== null && file.sha256 !== digest) || (file.git !== null && file.git !== git)) {
      this.#still(one, () => this.#book.mismatch(one.id, file.position));
      throw new HubFault("digest-mismatch", `${file.path} is not the file whose digest the hub states.`, file.mismatches + 1 >= MAX_MISMATCHES);
    }
    this.#still(one, () => this.#book.endFile(one.id, file.position, digest));
  }

  async #read(one: StoredImport, commit: string, file: ImportFile, reading: Reading, until: number): Promise<void> {
    let chunk = new Uint8Array(Math.min(CHUNK_BYTES, file.size - reading.offset));
    let filled = 0;
    for await (const bytes of this.#hub().read(repositoryOf(one), commit, file, reading.offset)) {
      for (let at = 0; at < bytes.byteLength; ) {
        if (chunk.byteLength === 0) throw new HubFault("source-changed", `${file.path} is larger than the hub said.`);
        const part = bytes.subarray(at, at + chunk.byteLength - filled);
        chunk.set(part, filled);
        [filled, at] = [filled + part.byteLength, at + part.byteLength];
        if (filled < chunk.byteLength) break;
        await this.#keep(one, file, reading, chunk);
        [chunk, filled] = [new Uint8Array(Math.min(CHUNK_BYTES, file.size - reading.offset)), 0];
      }
      if (filled === 0 && reading.offset < file.size && Date.now() >= until) return;
    }
    if (reading.offset < file.size) throw new HubFault("source-unreachable", `${file.path} broke off after ${reading.offset + filled} of ${file.size} bytes.`);
  }

  async #keep(one: StoredImport, file: ImportFile, reading: Reading, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
    // Noted in the transaction that stores it, so that it is in use from then on.
    const stored = await this.#uploads.store(sha256, bytes, (now) => {
      if (this.#book.isActive(one.id)) this.#book.addChunk(one.id, file.position, reading.offset, { sha256, size: bytes.byteLength }, now);
    });
    if (!stored.ok) throw new HubFault(stored.refusal.code === "unavailable" ? "source-unreachable" : "model-refused", stored.refusal.detail);
    this.#mustBeActive(one);
    reading.sha256.update(bytes);
    reading.git?.update(bytes);
    reading.offset += bytes.byteLength;
  }

  /** Where the file stands: as it was left in memory, or made anew from its stored chunks. */
  async #resume(one: StoredImport, file: ImportFile): Promise<Reading> {
    const kept = this.#reading;
    if (kept?.importId === one.id && kept.position === file.position) return kept;
    const git = file.git === null ? null : createHash("sha1").update(`blob ${file.size}\0`);
    const reading: Reading = { importId: one.id, position: file.position, sha256: createHash("sha256"), git, offset: 0 };
    const blobs = TenantBlobs.for(this.#room.self, this.#room.env);
    for (const chunk of this.#book.chunks(one.id, file.position)) {
      const body = await blobs.getBlob(chunk.sha256);
      if (!body) {
        this.#still(one, () => this.#book.dropChunks(one.id, file.position));
        throw new Error(`the store has lost a chunk of ${file.path}: the file is fetched anew`);
      }
      const bytes = new Uint8Array(await new Response(body).arrayBuffer());
      reading.sha256.update(bytes);
      reading.git?.update(bytes);
      reading.offset += bytes.byteLength;
    }
    return reading;
  }

  async #publish(one: StoredImport): Promise<void> {
    const { ask, plan, model } = one;
    const files = this.#book.files(one.id).map((file): ModelFile => ({ path: file.path, size: file.size, sha256: file.digest as Sha256, chunks: this.#book.chunks(one.id, file.position) }));
    const variants = ask.variants.map((build) => ({ id: build, requires: requiresOf(build), files: files.filter(({ path }) => [build, null].includes(buildOf(path))) }));
    const { source: _source, revision: _revision, variants: _variants, stage: _stage, ...stated } = ask;
    const body = revisionCreate.safeParse({ ...stated, task: plan?.task, usage: plan?.usage, ...(plan?.licence && { licence: plan.licence }), source: `${ask.source}@${one.commit}`, variants });
    if (!body.success) throw new HubFault("model-refused", `The model makes no revision: ${body.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ").slice(0, 500)}`);
    const hostile = await inspectVariants(body.data.variants, TenantBlobs.for(this.#room.self, this.#room.env), this.#mayHaveControlFlow(body.data));
    if (hostile) throw new HubFault("model-refused", `${hostile.path}: ${hostile.code}. ${hostile.detail}`);
    const built = buildRevision(this.#room.tenant, model, body.data);
    const published = await this.#models.publish(one, built, ask.stage ?? "live", () => this.#mustBeActive(one), (now) => {
      this.#book.end(one.id, { state: "done", revision: built.revision.revision }, now);
      this.#log(one, { state: "done", revision: built.revision.revision }, now);
    });
    if (!published.ok) throw new HubFault("model-refused", published.refusal.detail);
  }

  #mayHaveControlFlow({ control_flow }: Pick<RevisionCreate, "control_flow">): boolean {
    return control_flow === true && readConfig(this.#room.store).profile.allowControlFlow;
  }

  #failed(one: StoredImport, cause: unknown): void {
    const now = Date.now();
    const fault = cause instanceof HubFault ? cause : null;
    if (!fault) console.error(JSON.stringify({ level: "error", message: "a slice of an import failed; it is tried again", tenant: this.#room.tenant, import: one.id, error: String(cause) }));
    this.#room.transact(() => {
      if (!this.#book.isActive(one.id)) return;
      if (fault && (fault.isFinal || one.attempts + 1 >= MAX_ATTEMPTS)) return this.#fail(one, fault.code, fault.message, now);
      this.#book.retry(one.id, fault?.message ?? "Something failed on our side.", now + Math.min(MAX_PAUSE_MS, 1000 * 2 ** one.attempts), now);
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

  /** Writes what a slice has come to, unless the import was cancelled meanwhile. */
  #still(one: StoredImport, write: (now: number) => void): void {
    this.#room.transact(() => {
      this.#mustBeActive(one);
      write(Date.now());
    });
  }

  #mustBeActive({ id }: StoredImport): void {
    if (!this.#book.isActive(id)) throw new Cancelled();
  }

  #shown(id: string): Result<ModelImport> {
    const found = this.#book.find(id);
    return found ? done(found) : refuse("not-found", NO_IMPORT);
  }

  #hub(): Hub {
    const token = unlocked(this.#room.tenant, () => this.#room.transact(() => done(this.#vault.open(TOKEN, Date.now()))));
    if (!token.ok) throw new HubFault("source-forbidden", token.refusal.detail);
    return new Hub(settingsOf(this.#room.env).hubEndpoint, token.value);
  }
}

const repositoryOf = ({ ask }: StoredImport): string => ask.source.slice("hf:".length);
