/**
 * The steps of publishing, for a tenant and for the operator's catalogue alike: begin a revision, put what is missing, commit.
 */
import type { ModelId, RevisionId, Sha256 } from "../../schema/contract/ids.ts";
import { MAX_CHUNK_BYTES, type Model, type RevisionBegun, type RevisionBody } from "../../schema/contract/models.ts";
import type { CommitStage, ModelRevision } from "../../schema/contract/rollout.ts";
import type { Env } from "../env.ts";
import type { Entered } from "../http/enter.ts";
import { problem, unwrap } from "../http/problem.ts";
import { readBytes } from "../http/read-bytes.ts";
import { sha256Hex } from "../ledger/audit-chain.ts";
import { TenantBlobs } from "../tenants/blobs.ts";
import { asVerified } from "../tenants/credential.ts";
import { beginningOf, buildRevision } from "./manifest.ts";
import { mayBeHashed, review } from "./review.ts";

export async function beginRevision(env: Env, { object, call, tenant }: Entered, model: ModelId, body: RevisionBody): Promise<RevisionBegun> {
  if (!body.base) mayBeHashed(body.variants, []); // of a base's, its commit knows which were checked
  const built = buildRevision(tenant, model, body);
  const { identity, admission } = unwrap(await object.models.admitRevision(call, beginningOf(built)));
  await TenantBlobs.for(asVerified(identity), env).putManifest(built.revision.model, built.revision.revision, built.text);
  return unwrap(await object.models.begin(call, built.revision, Object.fromEntries(built.sizes), admission));
}

/** `isNew` false: it was stored already. */
export async function putBlob(env: Env, entered: Entered, digest: Sha256, request: Request): Promise<{ size: number; isNew: boolean }> {
  unwrap(await entered.object.tenants.verify(entered.call));
  const bytes = await readBytes(request, MAX_CHUNK_BYTES);
  if (bytes.byteLength === 0) throw problem("invalid-request", "The body is empty. Send the blob's bytes.");
  const actual = sha256Hex(new Uint8Array(bytes));
  if (actual !== digest) throw problem("digest-mismatch", `The bytes have the SHA-256 ${actual}. Send the bytes that the path names.`);
  return { size: bytes.byteLength, isNew: await storeBlob(env, entered, digest, bytes) };
}

/** Bytes that have this digest. False: they were stored already. */
export async function storeBlob(env: Env, { object, call }: Entered, digest: Sha256, bytes: ArrayBuffer): Promise<boolean> {
  const { identity, admission } = unwrap(await object.uploads.admit(call, digest, bytes.byteLength));
  if (admission === null) return false;
  await TenantBlobs.for(asVerified(identity), env).putBlob(digest, bytes);
  unwrap(await object.uploads.record(call, digest, bytes.byteLength, admission));
  return true;
}

export async function commitRevision(env: Env, { object, call }: Entered, model: ModelId, revision: RevisionId, stage: CommitStage): Promise<Model | ModelRevision> {
  const due = unwrap(await object.reviews.open(call, model, revision));
  if (due) await review(env, due);
  return unwrap(await object.models.commit(call, model, revision, stage, due !== null));
}
