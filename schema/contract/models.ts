/**
 * Models: a revision's manifest, the bodies of publishing, and how usage is measured.
 *
 * - Files are cut into chunks; a chunk is addressed by its SHA-256 and is at most `MAX_CHUNK_BYTES`.
 * - A file's `size` is the sum of its chunks' sizes; its `sha256` is over the whole file.
 * - The manifest's digest (SHA-256 of its bytes as served) is pinned by each lease.
 */
import { z } from "zod";
import { amount, positiveAmount, timestamp } from "./amounts.ts";
import { modelId, revisionId, sha256, tenantId } from "./ids.ts";

export const MAX_CHUNK_BYTES = 16 * 1024 * 1024;
/** What our own tools cut files into: small enough to resume well, large enough that a request costs little. */
export const CHUNK_BYTES = 4 * 1024 * 1024;
export const MAX_FILE_BYTES = 4 * 1024 ** 3;

/** A relative path inside the revision: no empty, `.` or `..` segment, no backslash, no drive, no control character. */
export const filePath = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[A-Za-z0-9._@+-]+(?:\/[A-Za-z0-9._@+-]+)*$/, "a relative path of plain characters")
  .refine((path) => path.split("/").every((part) => part !== "." && part !== ".."), "no '.' or '..' segment")
  .meta({ example: "onnx/model_q4.onnx" });

export const chunk = z.strictObject({ sha256, size: positiveAmount.max(MAX_CHUNK_BYTES) }).meta({ id: "Chunk" });
export type Chunk = z.infer<typeof chunk>;

export const modelFile = z
  .strictObject({ path: filePath, size: positiveAmount.max(MAX_FILE_BYTES), sha256, chunks: z.array(chunk).min(1).max(4096) })
  .refine((file) => file.chunks.reduce((sum, c) => sum + c.size, 0) === file.size, { path: ["chunks"], message: "the chunks' sizes must add up to the file's size" })
  .meta({ id: "ModelFile" });
export type ModelFile = z.infer<typeof modelFile>;

export const backend = z.enum(["webgpu", "wasm"]);
export type Backend = z.infer<typeof backend>;

/** What a device needs for a variant; an empty object fits every device. */
export const requirements = z
  .object({
    backend: backend.optional(),
    features: z.array(z.string().max(64)).max(16).optional().meta({ description: "WebGPU feature names, e.g. shader-f16." }),
    memory_bytes: positiveAmount.optional(),
  })
  .meta({ id: "Requirements" });

export const variant = z
  .strictObject({
    id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/),
    requires: requirements.prefault({}),
    files: z.array(modelFile).min(1).max(256),
  })
  .refine((v) => new Set(v.files.map((file) => file.path)).size === v.files.length, { path: ["files"], message: "each path once" })
  .meta({ id: "Variant" });
export type Variant = z.infer<typeof variant>;

export const usageMeasure = z
  .strictObject({
    measure: z.enum(["text-tokens", "image-tokens", "per-run"]),
    tokens: positiveAmount.optional().meta({ description: "per-run: tokens that each run costs." }),
  })
  .refine((usage) => (usage.measure === "per-run") === (usage.tokens !== undefined), { path: ["tokens"], message: "per-run states its tokens; the other measures don't" })
  .meta({ id: "UsageMeasure" });
export type UsageMeasure = z.infer<typeof usageMeasure>;

/** Largest price: 1 dollar a token. Keeps hold × price a safe integer for every hold up to 9 million tokens. */
const nanosPerToken = amount.max(1_000_000_000);
export const prices = z
  .strictObject({ input_nanos_per_token: nanosPerToken, output_nanos_per_token: nanosPerToken, call_nanos: nanosPerToken.optional() })
  .meta({ id: "Prices", description: "Nano-dollars." });
export type Prices = z.infer<typeof prices>;

export const TASKS = ["ocr", "text-generation", "feature-extraction", "text-classification", "token-classification", "zero-shot-classification", "image-classification", "raw"] as const;

export const revisionCreate = z
  .strictObject({
    task: z.enum(TASKS),
    usage: usageMeasure,
    variants: z.array(variant).min(1).max(16),
    prices: prices,
    licence: z.string().max(100).optional(),
    source: z.string().max(300).optional(),
  })
  .refine((body) => new Set(body.variants.map((v) => v.id)).size === body.variants.length, { path: ["variants"], message: "each variant id once" })
  .meta({ id: "RevisionCreate" });
export type RevisionCreate = z.infer<typeof revisionCreate>;

/** What a client gets: the revision without its prices. Served as canonical JSON whose SHA-256 the lease pins. */
export const manifest = z
  .object({
    schema: z.literal(1),
    tenant: tenantId,
    model: modelId,
    revision: revisionId,
    task: z.enum(TASKS),
    usage: usageMeasure,
    variants: z.array(variant),
    licence: z.string().optional(),
    source: z.string().optional(),
  })
  .meta({ id: "Manifest" });
export type Manifest = z.infer<typeof manifest>;

export const revisionBegun = z
  .object({ model: modelId, revision: revisionId, missing: z.array(sha256).meta({ description: "Blobs to PUT before the commit." }) })
  .meta({ id: "RevisionBegun" });

export const model = z
  .object({
    id: modelId,
    task: z.enum(TASKS),
    revision: revisionId,
    manifest_sha256: sha256,
    usage: usageMeasure,
    prices,
    size_bytes: amount.meta({ description: "Bytes of all variants, shared chunks once." }),
    variants: z.array(z.object({ id: z.string(), requires: requirements, size_bytes: amount })),
    published_at: timestamp,
  })
  .meta({ id: "Model" });
export type Model = z.infer<typeof model>;
