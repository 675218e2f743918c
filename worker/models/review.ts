/** Inspects the models of a revision that is about to be committed; throws the problem that says why one is refused. */
import type { Manifest } from "../../schema/contract/models.ts";
import type { Env } from "../env.ts";
import { problem } from "../http/problem.ts";
import { sha256Hex } from "../ledger/audit-chain.ts";
import type { Review } from "../ledger/desks/review-desk.ts";
import { TenantBlobs } from "../tenants/blobs.ts";
import { asVerified } from "../tenants/credential.ts";
import { inspectVariants } from "./inspect.ts";

export async function review(env: Env, { identity, model, revision, manifestSha256, allowControlFlow }: Review): Promise<void> {
  const blobs = TenantBlobs.for(asVerified(identity), env);
  const text = await blobs.getManifest(model, revision);
  if (text === null || sha256Hex(text) !== manifestSha256) throw problem("revision-incomplete", "The revision's manifest is gone. Begin the revision again.");
  const refusal = await inspectVariants((JSON.parse(text) as Manifest).variants, blobs, allowControlFlow);
  if (refusal) throw problem(refusal.code, `${refusal.path}: ${refusal.detail}`);
}
