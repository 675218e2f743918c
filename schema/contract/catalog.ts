/**
 * The operator's catalogue: models that it publishes once and grants to tenants, and models that a tenant derives from one.
 *
 * - A grant follows what is live in the catalogue, or names one revision: then a newer one is another grant.
 * - A derived model is the base with files of the tenant's own, which replace those of the same path or come beside them,
 *   and with tensors of its own in the base's ONNX files. It is resolved when it is begun: its manifest names every file,
 *   and a lease pins it as any other.
 */
import { z } from "zod";
import { positiveAmount, timestamp } from "./amounts.ts";
import { modelId, revisionId, tenantId } from "./ids.ts";
import { MAX_FILE_BYTES, MAX_FILE_CHUNKS, base, cacheMode, chunk, filePath, modelFile, prices, revisionDescription } from "./models.ts";

export const grantPut = z
  .strictObject({
    revision: revisionId.optional().meta({ description: "Of the catalogue's model; left out: the live one." }),
    follow: z.boolean().optional().meta({ description: "Whether the tenant gets what is live in the catalogue from then on, when it changes. Left out: true, unless a revision is named." }),
    prices: prices.optional().meta({ description: "What it costs the tenant at least; left out: what the catalogue's revision states." }),
  })
  .refine(({ revision, follow }) => revision === undefined || follow !== true, { path: ["follow"], message: "a grant that names a revision stays with it" })
  .meta({ id: "GrantPut" });
export type GrantPut = z.infer<typeof grantPut>;

/** A revision of the catalogue that a tenant may use, and build on. */
export const grant = z.object({ model: modelId, revision: revisionId, granted_at: timestamp, follows: z.boolean().meta({ description: "The model goes with what is live in the catalogue." }), waits: z.boolean().meta({ description: "It goes live when the model's canary has ended." }) }).meta({ id: "Grant" });
export type Grant = z.infer<typeof grant>;

export const holder = z
  .object({
    tenant: tenantId,
    model: modelId,
    revision: revisionId,
    granted_at: timestamp.meta({ description: "When it was last granted." }),
    follows: z.boolean(),
    behind: z.object({ error: z.string(), next_at: timestamp }).nullable().meta({ description: "Where it follows, and could not be given what is live: why, and when it is tried again." }),
  })
  .meta({ id: "Holder" });
export type Holder = z.infer<typeof holder>;

/** One of the graph's initializers, with other values: as many bytes as before, little-endian, in the order of its dims. */
export const tensorChange = z
  .strictObject({
    path: filePath.meta({ description: "The base's ONNX file that has the tensor." }),
    name: z.string().min(1).max(512).meta({ example: "lm_head.weight" }),
    size: positiveAmount.max(MAX_FILE_BYTES),
    chunks: z.array(chunk).min(1).max(MAX_FILE_CHUNKS),
  })
  .refine((tensor) => tensor.chunks.reduce((sum, { size }) => sum + size, 0) === tensor.size, { path: ["chunks"], message: "the chunks' sizes must add up to the tensor's size" })
  .meta({ id: "TensorChange" });
export type TensorChange = z.infer<typeof tensorChange>;

export const derivationCreate = z
  .strictObject({
    base: base.meta({ description: "A revision that was granted." }),
    files: z
      .array(modelFile)
      .max(256)
      .refine((files) => new Set(files.map(({ path }) => path)).size === files.length, "each path once")
      .default([])
      .meta({ description: "The tenant's own. Each takes the place of the file with its path in the variants that have one; where none has, it is added to all." }),
    tensors: z
      .array(tensorChange)
      .max(256)
      .refine((tensors) => new Set(tensors.map(({ path, name }) => `${path}\n${name}`)).size === tensors.length, "each tensor once")
      .default([])
      .meta({ description: "Changed in every kept variant that has the file. What of a base's chunk stays beside a changed tensor is copied to the tenant, and counts against its storage." }),
    variants: z.array(z.string()).min(1).max(16).optional().meta({ description: "Ids of the base's variants that are kept; left out: all." }),
    prices,
    cache: cacheMode.optional(),
    self_test: revisionDescription.self_test.meta({ description: "The base's own is for the base: a model that answers otherwise states its own." }),
    control_flow: revisionDescription.control_flow,
    licence: revisionDescription.licence,
    source: revisionDescription.source,
  })
  .refine(({ files, tensors }) => files.length + tensors.length > 0, { path: ["files"], message: "a file or a tensor of its own, at least" })
  .meta({ id: "DerivationCreate" });
export type DerivationCreate = z.infer<typeof derivationCreate>;
