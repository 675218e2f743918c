/** Checks the files of a revision that is about to be committed, and inspects its models; throws the problem that says why it is refused. */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Manifest, Variant } from "../../schema/contract/models.ts";
import type { Env } from "../env.ts";
import { problem } from "../http/problem.ts";
import { sha256Hex } from "../ledger/audit-chain.ts";
import type { Review } from "../ledger/desks/review-desk.ts";
import { LentBlobs } from "../catalog/lent-blobs.ts";
import { TenantBlobs } from "../tenants/blobs.ts";
import { asVerified } from "../tenants/credential.ts";
import { inspectVariants } from "./inspect.ts";
import { amountToHash, MOST_HASHED, wrongFileOf } from "./verify-files.ts";

export async function review(env: Env, { identity, model, revision, manifestSha256, allowControlFlow, lent }: Review): Promise<void> {
  const [blobs, catalog, isLent] = [TenantBlobs.for(asVerified(identity), env), LentBlobs.for(asVerified(identity), env), new Set(lent)];
  const text = await blobs.getManifest(model, revision);
  if (text === null || sha256Hex(text) !== manifestSha256) throw problem("revision-incomplete", "The revision's manifest is gone. Begin the revision again.");
  const { variants, base } = JSON.parse(text) as Manifest;
  const store = { getBlob: (digest: Sha256) => (isLent.has(digest) ? catalog : blobs).getBlob(digest) };
  const of = base && (await catalog.getManifest(base));
  const known = of ? (JSON.parse(of) as Manifest).variants : [];
  mayBeHashed(variants, known);
  const refusal = await inspectVariants(variants, store, allowControlFlow);
  if (refusal) throw problem(refusal.code, `${refusal.path}: ${refusal.detail}`);
  const wrong = await wrongFileOf(variants, known, store);
  if (wrong) throw problem("digest-mismatch", `The chunks of ${wrong.path} make a file with the SHA-256 ${wrong.actual}, and the manifest states ${wrong.stated}. Begin the revision again with the chunks, or the digest, of the file that is meant.`);
}

/** Throws where the digests that the files state are of more than one commit can read. `known`: what was checked before. */
export function mayBeHashed(variants: readonly Variant[], known: readonly Variant[]): void {
  const { bytes, chunks } = amountToHash(variants, known);
  if (bytes <= MOST_HASHED.bytes && chunks <= MOST_HASHED.chunks) return;
  throw problem("revision-too-large", `Its files state digests of ${bytes} bytes in ${chunks} chunks, and a commit checks ${MOST_HASHED.bytes} bytes in ${MOST_HASHED.chunks}. Leave the digest of the whole out of some files (their chunks keep theirs), cut them into larger chunks, or publish fewer variants in a revision.`);
}
