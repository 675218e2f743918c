/**
 * Publishes a model through the public API: begin, put the missing chunks, commit. To a tenant, or to the operator's
 * catalogue; whole, or derived from what the catalogue grants.
 *
 * - Files are cut into chunks of `CHUNK_BYTES` and hashed before anything is sent; only what the tenant lacks is sent,
 *   so a call that was interrupted goes on where it stopped, and a new revision sends the difference.
 * - One chunk at a time is in memory.
 * - Resolves when the revision is live. Needs a credential with the tenant's `admin` scope, for the catalogue the
 *   operator key.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { z } from "zod";
import { amount } from "../schema/contract/amounts.ts";
import type { TensorChange, derivationCreate } from "../schema/contract/catalog.ts";
import { type Sha256, sha256 } from "../schema/contract/ids.ts";
import { CHUNK_BYTES, type Chunk, type Model, type ModelFile, type RevisionCreate, model, revisionBegun } from "../schema/contract/models.ts";
import { type ModelRevision, modelRevision } from "../schema/contract/rollout.ts";
import type { Api } from "./api.ts";

export interface SourceFile {
  /** Inside the revision. */
  readonly path: string;
  /** On this machine. */
  readonly source: string;
}

export interface SourceVariant {
  readonly id: string;
  readonly requires?: RevisionCreate["variants"][number]["requires"];
  readonly files: readonly SourceFile[];
}

export interface Publication extends Omit<RevisionCreate, "variants"> {
  readonly variants: readonly SourceVariant[];
}

/** Other values of a tensor of the base, little-endian, in a file on this machine. */
export interface SourceTensor extends SourceFile {
  readonly name: string;
}

export interface Derivation extends Omit<z.input<typeof derivationCreate>, "files" | "tensors"> {
  readonly files?: readonly SourceFile[];
  readonly tensors?: readonly SourceTensor[];
}

export interface PublishOptions {
  readonly onProgress?: (sentBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

interface Place {
  readonly source: string;
  readonly offset: number;
  readonly size: number;
}

const stored = z.object({ sha256, size: amount });

const OF_CATALOG = "/v1/catalog";
const ofTenant = (tenant: string) => `/v1/tenants/${tenant}`;

export async function publishModel(api: Api, tenant: string, name: string, publication: Publication, options: PublishOptions = {}): Promise<Model> {
  return api.post(`${await sendRevision(api, ofTenant(tenant), name, publication, options)}/commit`, {}, model);
}

/** As `publishModel`, but the revision stays a draft: nobody gets it before it is rolled out. */
export async function publishDraft(api: Api, tenant: string, name: string, publication: Publication, options: PublishOptions = {}): Promise<ModelRevision> {
  return api.post(`${await sendRevision(api, ofTenant(tenant), name, publication, options)}/commit`, { stage: "draft" }, modelRevision);
}

/** Goes to every tenant whose grant follows it. */
export async function publishToCatalog(api: Api, name: string, publication: Publication, options: PublishOptions = {}): Promise<Model> {
  return api.post(`${await sendRevision(api, OF_CATALOG, name, publication, options)}/commit`, {}, model);
}

/** Goes to nobody until it is granted by its name, or committed again. */
export async function draftInCatalog(api: Api, name: string, publication: Publication, options: PublishOptions = {}): Promise<ModelRevision> {
  return api.post(`${await sendRevision(api, OF_CATALOG, name, publication, options)}/commit`, { stage: "draft" }, modelRevision);
}

/** Only the tenant's own files and tensors are sent. */
export async function deriveModel(api: Api, tenant: string, name: string, { files = [], tensors = [], ...stated }: Derivation, options: PublishOptions = {}): Promise<Model> {
  const places = new Map<Sha256, Place>();
  const own: ModelFile[] = [];
  for (const file of files) own.push(await describeFile(file, places));
  const changed: TensorChange[] = [];
  for (const { path, name: tensor, source } of tensors) {
    const { size, chunks } = await describeFile({ path, source }, places);
    changed.push({ path, name: tensor, size, chunks });
  }
  const models = `${ofTenant(tenant)}/models/${name}`;
  const begun = await api.post(`${models}/derive`, { ...stated, files: own, tensors: changed }, revisionBegun);
  await sendMissing(api, ofTenant(tenant), begun.missing, places, options);
  return api.post(`${models}/revisions/${begun.revision}/commit`, {}, model);
}

/** Gives the path of the revision, all of which is stored then. `owner`: the path of the tenant, or of the catalogue. */
async function sendRevision(api: Api, owner: string, name: string, publication: Publication, options: PublishOptions): Promise<string> {
  const places = new Map<Sha256, Place>();
  const variants: RevisionCreate["variants"] = [];
  for (const { id, requires = {}, files } of publication.variants) {
    const described: ModelFile[] = [];
    for (const file of files) described.push(await describeFile(file, places));
    variants.push({ id, requires, files: described });
  }

  const models = `${owner}/models/${name}`;
  const { revision, missing } = await api.post(`${models}/revisions`, { ...publication, variants }, revisionBegun);
  await sendMissing(api, owner, missing, places, options);
  return `${models}/revisions/${revision}`;
}

async function sendMissing(api: Api, owner: string, missing: readonly Sha256[], places: Map<Sha256, Place>, { onProgress, signal }: PublishOptions): Promise<void> {
  const wanted = missing.map((digest) => ({ digest, place: placeOf(places, digest) }));
  const total = wanted.reduce((sum, { place }) => sum + place.size, 0);
  let sent = 0;
  for (const { digest, place } of wanted) {
    signal?.throwIfAborted();
    await api.put(`${owner}/blobs/${digest}`, await readPlace(place), stored);
    sent += place.size;
    onProgress?.(sent, total);
  }
}

/** Cuts and hashes one file, and notes where each chunk lies. */
async function describeFile({ path, source }: SourceFile, places: Map<Sha256, Place>): Promise<ModelFile> {
  await using file = await open(source);
  const whole = createHash("sha256");
  const chunks: Chunk[] = [];
  let size = 0;
  for (;;) {
    const bytes = await readUpTo(file, size, CHUNK_BYTES);
    if (bytes.length === 0) break;
    const digest = sha256.parse(createHash("sha256").update(bytes).digest("hex"));
    whole.update(bytes);
    chunks.push({ sha256: digest, size: bytes.length });
    places.set(digest, { source, offset: size, size: bytes.length });
    size += bytes.length;
  }
  return { path, size, sha256: sha256.parse(whole.digest("hex")), chunks };
}

async function readPlace({ source, offset, size }: Place): Promise<Uint8Array> {
  await using file = await open(source);
  return readUpTo(file, offset, size);
}

/** Reads may come short: until `length` bytes or the end of the file. */
async function readUpTo(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function placeOf(places: Map<Sha256, Place>, digest: Sha256): Place {
  const place = places.get(digest);
  if (!place) throw new Error(`The control plane asks for a chunk that is not of this model: ${digest}`);
  return place;
}
