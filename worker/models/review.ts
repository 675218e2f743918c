/** Inspects the models of a revision that is about to be committed; throws the problem that says why one is refused. */
import type { Manifest } from "../../schema/contract/models.ts";
import type { Env } from "../env.ts";
import { problem } from "../http/problem.ts";
import { sha256Hex } from "../ledger/audit-chain.ts";
import type { Review } from "../ledger/desks/review-desk.ts";
import { LentBlobs } from "../catalog/lent-blobs.ts";
import { TenantBlobs } from "../tenants/blobs.ts";
import { asVerified } from "../tenants/credential.ts";
import { inspectVariants } from "./inspect.ts";

export async function review(env: Env, { identity, model, revision, manifestSha256, allowControlFlow, lent }: Review): Promise<void> {
  const [blobs, catalog, isLent] = [TenantBlobs.for(asVerified(identity), env), LentBlobs.for(asVerified(identity), env), new Set(lent)];
  const text = await blobs.getManifest(model, revision);
  if (text === null || sha256Hex(text) !== manifestSha256) throw problem("revision-incomplete", "The revision's manifest is gone. Begin the revision again.");
  const refusal = await inspectVariants((JSON.parse(text) as Manifest).variants, { getBlob: (digest) => (isLent.has(digest) ? catalog : blobs).getBlob(digest) }, allowControlFlow);
  if (refusal) throw problem(refusal.code, `${refusal.path}: ${refusal.detail}`);
}
