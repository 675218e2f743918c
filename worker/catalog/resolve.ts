/**
 * From a base of the catalogue to a revision of a tenant: as it is, or with the tenant's own files (tensors: tensors.ts). Pure.
 *
 * - Whatever the base does not say anew is said by it: task, how usage is measured, what a variant requires.
 * - Its self-tests are for its own answers: a derived revision has those that it states.
 */
import type { DerivationCreate } from "../../schema/contract/catalog.ts";
import { type Base, type Manifest, type ModelFile, type Prices, type RevisionBody, type Variant, revisionCreate } from "../../schema/contract/models.ts";
import { type Result, done, refuse } from "../ledger/result.ts";

/** The base as it is, under the tenant's name and prices. */
export function grantedBody({ schema: _, tenant: _tenant, model, revision, base: _base, ...shown }: Manifest, prices: Prices): RevisionBody & { readonly base: Base } {
  return { ...shown, prices, base: { model, revision } };
}

export function derivedBody(base: Manifest, { base: named, files, tensors: _, variants: kept, ...stated }: DerivationCreate): Result<RevisionBody> {
  const unknown = kept?.find((id) => !base.variants.some((variant) => variant.id === id));
  if (unknown !== undefined) return refuse("invalid-request", `variants: the base has no variant ${unknown}. It has ${base.variants.map(({ id }) => id).join(", ")}.`);
  const variants = base.variants.filter(({ id }) => kept?.includes(id) ?? true);
  const everywhere = files.filter(({ path }) => !base.variants.some((variant) => variant.files.some((file) => file.path === path)));
  const body = revisionCreate.safeParse({
    task: base.task,
    usage: base.usage,
    ...(base.cache && { cache: base.cache }),
    ...(base.control_flow && { control_flow: true }),
    ...(base.licence && { licence: base.licence }),
    ...stated,
    variants: variants.map((variant) => withFiles(variant, files, everywhere)),
  });
  if (!body.success) return refuse("invalid-request", `The derived revision is none: ${body.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ").slice(0, 500)}`);
  return done({ ...body.data, base: named });
}

function withFiles({ id, requires, files }: Variant, own: readonly ModelFile[], everywhere: readonly ModelFile[]): Variant {
  return { id, requires, files: [...files.map((file) => own.find(({ path }) => path === file.path) ?? file), ...everywhere] };
}
