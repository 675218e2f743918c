/**
 * A revision's manifest: made from what was published, named by its content. Pure.
 *
 * - The revision's id is the SHA-256 of model and body (24 hex digits): the same content is the same revision.
 * - The manifest's bytes are canonical JSON; their SHA-256 is what leases pin.
 */
import type { ModelId, RevisionId, Sha256, TenantId } from "../../schema/contract/ids.ts";
import type { Manifest, RevisionBody } from "../../schema/contract/models.ts";
import { canonicalJson, sha256Hex } from "../ledger/audit-chain.ts";
import type { Begun } from "../ledger/draft-book.ts";
import type { Revision, RevisionFacts } from "../ledger/model-shelf.ts";

export interface Built {
  readonly revision: Omit<Revision, "publishedAt">;
  /** The manifest's bytes as text. */
  readonly text: string;
  /** Every chunk once, with its size. */
  readonly sizes: ReadonlyMap<Sha256, number>;
}

export function buildRevision(tenant: TenantId, model: ModelId, body: RevisionBody): Built {
  const revision = `rev_${sha256Hex(canonicalJson({ model, ...body })).slice(0, 24)}` as RevisionId;
  const { prices, ...shown } = body;
  const manifest: Manifest = { schema: 1, tenant, model, revision, ...shown };
  const text = canonicalJson(manifest);
  const sizes = chunkSizes(manifest);
  return {
    revision: {
      model,
      revision,
      manifestSha256: sha256Hex(text) as Sha256,
      manifestBytes: new TextEncoder().encode(text).byteLength,
      facts: {
        task: body.task,
        usage: body.usage,
        prices,
        sizeBytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
        ...(body.control_flow && { controlFlow: true }),
        ...(body.base && { base: body.base }),
        variants: body.variants.map((variant) => ({ id: variant.id, requires: variant.requires, size_bytes: variant.files.reduce((sum, file) => sum + file.size, 0) })),
      },
    },
    text,
    sizes,
  };
}

/** What has to be known of a revision before its manifest is stored. */
export const beginningOf = ({ revision: { model, revision, manifestBytes, facts } }: Built): Begun & Pick<RevisionFacts, "controlFlow"> => ({ model, revision, manifestBytes, ...(facts.controlFlow && { controlFlow: true }) });

/** Each chunk of the manifest with its size, once. */
export function chunkSizes(manifest: Pick<Manifest, "variants">): Map<Sha256, number> {
  const sizes = new Map<Sha256, number>();
  for (const variant of manifest.variants) for (const file of variant.files) for (const chunk of file.chunks) sizes.set(chunk.sha256, chunk.size);
  return sizes;
}
