/**
 * One slice of an import: its description, a while of one of its files, or its publication.
 *
 * - Every slice ends in a state from which the next one goes on: a chunk is stored, then noted. What an object that died
 *   had in memory is one chunk and the state of a hash, which is made anew from the stored chunks.
 * - What the hub states of the sizes is held against the tenant's limits before the first byte is fetched.
 * - A slice that throws leaves nothing half done; the caller decides whether it is tried again.
 */
import { createHash, type Hash } from "node:crypto";
import type { ImportId } from "../../schema/contract/imports.ts";
import type { Sha256 } from "../../schema/contract/ids.ts";
import { type ModelFile, type RevisionCreate, revisionCreate } from "../../schema/contract/models.ts";
import { Rest } from "../../schema/onnx/rest.ts";
import { type Hub, HubFault } from "../imports/hub.ts";
import { inChunks } from "../imports/in-chunks.ts";
import { buildOf, chooseFiles, configOf, isOfModel, requiresOf } from "../imports/layout.ts";
import { type FileRefusal, inspectVariants } from "../models/inspect.ts";
import { buildRevision } from "../models/manifest.ts";
import { TenantBlobs } from "../tenants/blobs.ts";
import { readConfig } from "./config.ts";
import type { ModelDesk } from "./desks/model-desk.ts";
import type { UploadDesk } from "./desks/upload-desk.ts";
import type { ImportBook, ImportFile, StoredImport } from "./import-book.ts";
import type { Room } from "./room.ts";
import { ShelfLimits } from "./shelf-limits.ts";

/** How long one slice fetches before another import may have its turn. A chunk that is under way is waited for. */
const SLICE_MS = 10_000;
/** A file that came otherwise than its digest says may have been broken on the way; not time and again. */
const MAX_MISMATCHES = 3;
const MAX_CONFIG_BYTES = 1024 * 1024;

/** The import was cancelled while its slice was under way. */
export class Cancelled extends Error {}

/** How far a file is, and the hashes of it so far. */
interface Reading {
  readonly position: number;
  readonly sha256: Hash;
  readonly git: Hash | null;
  offset: number;
}

export class ImportSlices {
  readonly #room: Room;
  readonly #models: ModelDesk;
  readonly #uploads: UploadDesk;
  readonly #book: ImportBook;
  readonly #limits: ShelfLimits;
  readonly #readings = new Map<ImportId, Reading>();
  #inspecting: Promise<unknown> = Promise.resolve();

  constructor(room: Room, models: ModelDesk, uploads: UploadDesk, book: ImportBook) {
    this.#room = room;
    this.#models = models;
    this.#uploads = uploads;
    this.#book = book;
    this.#limits = new ShelfLimits(room);
  }

  async advance(one: StoredImport, hub: Hub, log: (revision: string, now: number) => void): Promise<void> {
    if (one.commit === null || one.plan === null) return this.#describe(one, hub);
    const next = this.#book.files(one.id).find(({ digest }) => digest === null);
    return next ? this.#fetch(one, hub, one.commit, next) : this.#publish(one, log);
  }

  /** What is in memory of it is dropped: it has ended, or failed. */
  forget(id: ImportId): void {
    this.#readings.delete(id);
  }

  async #describe(one: StoredImport, hub: Hub): Promise<void> {
    const repository = repositoryOf(one);
    const model = await hub.describe(repository, one.ask.revision, isOfModel);
    const config = model.files.some(({ path }) => path === "config.json") ? configOf(await hub.text(repository, model.commit, "config.json", MAX_CONFIG_BYTES)) : null;
    const chosen = chooseFiles(model, config, one.ask.variants, one.ask);
    if (!chosen.ok) throw new HubFault(chosen.code, chosen.detail);
    const { files, task, usage } = chosen;
    this.#still(one, (now) => {
      const bytes = files.reduce((sum, file) => sum + Math.max(0, file.size - this.#book.storedBytes(file)), 0);
      const refused = this.#limits.refusesModel(one.model, now, this.#room.shelf.drafts.models(one.model)) ?? this.#limits.refusesImport(bytes, now);
      if (refused) throw new HubFault("model-refused", refused.refusal.detail);
      this.#book.plan(one.id, model.commit, { task, usage, licence: one.ask.licence ?? model.licence }, files, now);
    });
  }

  async #fetch(one: StoredImport, hub: Hub, commit: string, file: ImportFile): Promise<void> {
    const until = Date.now() + SLICE_MS;
    const reading = await this.#resume(one, file);
    this.#readings.set(one.id, reading);
    if (reading.offset < file.size) await this.#read(one, hub, commit, file, reading, until);
    if (reading.offset < file.size) return;
    const [digest, git] = [reading.sha256.digest("hex") as Sha256, reading.git?.digest("hex") ?? null];
    this.forget(one.id);
    if ((file.sha256 !== null && file.sha256 !== digest) || (file.git !== null && file.git !== git)) {
      this.#still(one, () => this.#book.mismatch(one.id, file.position));
      throw new HubFault("digest-mismatch", `${file.path} is not the file whose digest the hub states.`, file.mismatches + 1 >= MAX_MISMATCHES);
    }
    this.#still(one, () => this.#book.endFile(one.id, file.position, digest));
  }

  async #read(one: StoredImport, hub: Hub, commit: string, file: ImportFile, reading: Reading, until: number): Promise<void> {
    for await (const chunk of inChunks(hub.read(repositoryOf(one), commit, file, reading.offset), file, reading.offset)) {
      await this.#keep(one, file, reading, chunk);
      if (reading.offset < file.size && Date.now() >= until) return;
    }
  }

  async #keep(one: StoredImport, file: ImportFile, reading: Reading, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
    // Noted in the transaction that stores it, so that it is in use from then on.
    const stored = await this.#uploads.store(sha256, bytes, (now) => {
      if (this.#book.isActive(one.id)) this.#book.addChunk(one.id, file.position, reading.offset, { sha256, size: bytes.byteLength }, now);
    });
    if (!stored.ok) throw stored.refusal.code === "unavailable" ? new Error(stored.refusal.detail) : new HubFault("model-refused", stored.refusal.detail);
    this.#mustBeActive(one);
    reading.sha256.update(bytes);
    reading.git?.update(bytes);
    reading.offset += bytes.byteLength;
  }

  /** Where the file stands: as it was left in memory, or made anew from its stored chunks. */
  async #resume(one: StoredImport, file: ImportFile): Promise<Reading> {
    const kept = this.#readings.get(one.id);
    if (kept?.position === file.position) return kept;
    const git = file.git === null ? null : createHash("sha1").update(`blob ${file.size}\0`);
    const reading: Reading = { position: file.position, sha256: createHash("sha256"), git, offset: 0 };
    const blobs = TenantBlobs.for(this.#room.self, this.#room.env);
    for (const chunk of this.#book.chunks(one.id, file.position)) {
      this.#mustBeActive(one);
      const body = await blobs.getBlob(chunk.sha256);
      if (!body) {
        this.#still(one, () => this.#book.mismatch(one.id, file.position));
        throw new HubFault("service-failed", `The store has lost a chunk of ${file.path}.`, file.mismatches + 1 >= MAX_MISMATCHES);
      }
      const bytes = new Uint8Array(await new Response(body).arrayBuffer());
      reading.sha256.update(bytes);
      reading.git?.update(bytes);
      reading.offset += bytes.byteLength;
    }
    return reading;
  }

  async #publish(one: StoredImport, log: (revision: string, now: number) => void): Promise<void> {
    const { ask, plan, model } = one;
    const files = this.#book.files(one.id).map((file): ModelFile => ({ path: file.path, size: file.size, sha256: file.digest as Sha256, chunks: this.#book.chunks(one.id, file.position) }));
    const variants = ask.variants.map((build) => ({ id: build, requires: requiresOf(build), files: files.filter(({ path }) => [build, null].includes(buildOf(path))) }));
    const { source: _source, revision: _revision, variants: _variants, stage: _stage, ...stated } = ask;
    const body = revisionCreate.safeParse({ ...stated, task: plan?.task, usage: plan?.usage, ...(plan?.licence && { licence: plan.licence }), source: `${ask.source}@${one.commit}`, variants });
    if (!body.success) throw new HubFault("model-refused", `The model makes no revision: ${body.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ").slice(0, 500)}`);
    const hostile = await this.#inspect(one, body.data);
    if (hostile) throw new HubFault("model-refused", `${hostile.path}: ${hostile.code}. ${hostile.detail}`);
    const built = buildRevision(this.#room.tenant, model, body.data);
    const published = await this.#models.publish(one, built, ask.stage ?? "live", () => this.#mustBeActive(one), (now) => {
      this.#book.end(one.id, { state: "done", revision: built.revision.revision }, now);
      log(built.revision.revision, now);
    });
    if (!published.ok) throw new HubFault("model-refused", published.refusal.detail);
  }

  /** One after another: each keeps much. A file may have a second of work in it, and leases of the tenant come between. */
  #inspect(one: StoredImport, body: RevisionCreate): Promise<FileRefusal | null> {
    const rest = new Rest(async () => {
      await new Promise((resolve) => setTimeout(resolve));
      this.#mustBeActive(one);
    });
    const inspected = this.#inspecting.then(() => inspectVariants(body.variants, TenantBlobs.for(this.#room.self, this.#room.env), this.#mayHaveControlFlow(body), rest));
    this.#inspecting = inspected.catch(() => undefined); // whoever asked hears of it
    return inspected;
  }

  #mayHaveControlFlow({ control_flow }: Pick<RevisionCreate, "control_flow">): boolean {
    return control_flow === true && readConfig(this.#room.store).profile.allowControlFlow;
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
}

const repositoryOf = ({ ask }: StoredImport): string => ask.source.slice("hf:".length);
