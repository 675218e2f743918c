/** How a revision of the catalogue becomes a tenant's: its manifest is stored with the tenant, then it is taken. */
import type { Manifest, RevisionBody } from "../../schema/contract/models.ts";
import type { Env } from "../env.ts";
import type { Entered } from "../http/enter.ts";
import type { Loan } from "../ledger/desks/lending-desk.ts";
import type { Revision } from "../ledger/model-shelf.ts";
import type { Result } from "../ledger/result.ts";
import { sha256Hex } from "../ledger/audit-chain.ts";
import { beginningOf, buildRevision } from "../models/manifest.ts";
import { TenantBlobs } from "../tenants/blobs.ts";
import { asVerified } from "../tenants/credential.ts";

export type Receiver = Pick<Entered, "object" | "call" | "tenant">;

type Take<T> = (revision: Omit<Revision, "publishedAt">, sizes: Readonly<Record<string, number>>, admission: string | null) => Promise<Result<T>>;

/** `take`: the last step, once the manifest is there. */
export async function give<T>(env: Env, { object, call, tenant }: Receiver, { base: { model } }: Loan, body: RevisionBody, take: Take<T>): Promise<Result<T>> {
  const built = buildRevision(tenant, model, body);
  const begun = await object.models.admitRevision(call, beginningOf(built));
  if (!begun.ok) return begun;
  await TenantBlobs.for(asVerified(begun.value.identity), env).putManifest(model, built.revision.revision, built.text);
  return take(built.revision, Object.fromEntries(built.sizes), begun.value.admission);
}

/** The manifest of a loan, as the catalogue committed it; null where the text is not that. */
export function manifestIn(text: string | null, manifestSha256: string): Manifest | null {
  return text === null || sha256Hex(text) !== manifestSha256 ? null : (JSON.parse(text) as Manifest);
}
