/**
 * Models: a revision's manifest, the bodies of publishing, and how usage is measured.
 *
 * - Files are cut into chunks; a chunk is addressed by its SHA-256 and is at most `MAX_CHUNK_BYTES`.
 * - A file's `size` is the sum of its chunks' sizes; its `sha256` is over the whole file, for whoever has it whole. What
 *   is verified is each chunk, which has one size wherever it stands; of a file of one chunk that is the whole.
 * - The manifest's digest (SHA-256 of its bytes as served) is pinned by each lease.
 */
import { z } from "zod";
import { amount, positiveAmount, timestamp } from "./amounts.ts";
import { modelId, revisionId, sha256, tenantId } from "./ids.ts";
import { requirements } from "./requirements.ts";
import { canary } from "./rollout.ts";
import { type SelfTest, selfTest } from "./self-test.ts";
import type { TaskFacts } from "./task.ts";
import { TASKS } from "./tasks.ts";

export { type Backend, backend } from "./requirements.ts";

export const MAX_CHUNK_BYTES = 16 * 1024 * 1024;
/** What our own tools cut files into: small enough to resume well, large enough that a request costs little. */
export const CHUNK_BYTES = 4 * 1024 * 1024;
export const MAX_FILE_BYTES = 4 * 1024 ** 3;
export const MAX_FILE_CHUNKS = 4096;
export const MAX_VARIANT_FILES = 256;

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
  .strictObject({ path: filePath, size: positiveAmount.max(MAX_FILE_BYTES), sha256: sha256.optional().meta({ description: "Of the whole file. Left out where nobody has had it whole: a base's file with changed tensors." }), chunks: z.array(chunk).min(1).max(MAX_FILE_CHUNKS) })
  .refine((file) => file.chunks.reduce((sum, c) => sum + c.size, 0) === file.size, { path: ["chunks"], message: "the chunks' sizes must add up to the file's size" })
  .refine(({ sha256: whole, chunks: [only, more] }) => whole === undefined || more !== undefined || only?.sha256 === whole, { path: ["sha256"], message: "a file of one chunk has that chunk's SHA-256" })
  .meta({ id: "ModelFile" });
export type ModelFile = z.infer<typeof modelFile>;

export const variant = z
  .strictObject({
    id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/),
    requires: requirements.prefault({}),
    self_test: selfTest.optional().meta({ description: "In place of the model's own, where this build answers otherwise." }),
    files: z.array(modelFile).min(1).max(MAX_VARIANT_FILES),
  })
  .refine((v) => new Set(v.files.map((file) => file.path)).size === v.files.length, { path: ["files"], message: "each path once" })
  .meta({ id: "Variant" });
export type Variant = z.infer<typeof variant>;

/** A chunk that is stated with two sizes: no bytes are both. */
export function tornChunk(variants: readonly Variant[]): string | null {
  const sizes = new Map<string, number>();
  for (const { sha256: digest, size } of variants.flatMap(({ files }) => files).flatMap(({ chunks }) => chunks)) {
    if ((sizes.get(digest) ?? size) !== size) return digest;
    sizes.set(digest, size);
  }
  return null;
}

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

export type Task = keyof typeof TASKS;
export const task = z.enum(Object.keys(TASKS) as Task[]);
export const factsOf = (name: Task): TaskFacts => TASKS[name];

/** How a visitor's browser keeps the weights; left out: `encrypted`. `none`: in memory alone. */
export const cacheMode = z.enum(["encrypted", "plain", "none"]);
export type CacheMode = z.infer<typeof cacheMode>;

/** The tasks that a self-test of this kind is for. A text generator's graph is rewritten for each backend: its tokens are what stays. */
export const tasksHeldTo = (kind: SelfTest["kind"]): readonly Task[] => task.options.filter((name) => factsOf(name).selfTests.includes(kind));

/** What a revision says of itself, beside its files: the same words in the body that begins it and in its manifest. */
export const revisionDescription = {
  task,
  usage: usageMeasure,
  cache: cacheMode.optional(),
  self_test: selfTest.optional(),
  control_flow: z.literal(true).optional().meta({ description: "The model has Loop, Scan or If. Only where the operator allows it for the tenant (`allow_control_flow`); without this such a model is refused." }),
  licence: z.string().min(1).max(100).optional().meta({ description: "SPDX name where there is one.", example: "Apache-2.0" }),
  source: z.string().min(1).max(300).optional().meta({ example: "hf:HuggingFaceTB/SmolLM2-135M-Instruct@12fd25f" }),
};

export const revisionCreate = z
  .strictObject({ ...revisionDescription, variants: z.array(variant).min(1).max(16), prices })
  .refine((body) => new Set(body.variants.map((v) => v.id)).size === body.variants.length, { path: ["variants"], message: "each variant id once" })
  .superRefine((body, ctx) => {
    const torn = tornChunk(body.variants);
    if (torn !== null) ctx.addIssue({ code: "custom", path: ["variants"], message: `the chunk ${torn} has two sizes` });
    [body, ...body.variants].forEach(({ self_test }, at) => {
      const tasks = self_test && tasksHeldTo(self_test.kind);
      if (tasks && !tasks.includes(body.task)) ctx.addIssue({ code: "custom", path: at === 0 ? ["self_test"] : ["variants", at - 1, "self_test"], message: `a self-test of ${self_test.kind} is for ${tasks.join(", ")}` });
    });
  })
  .meta({ id: "RevisionCreate" });
export type RevisionCreate = z.infer<typeof revisionCreate>;

/** What a revision of the operator's catalogue is called; see catalog.ts. */
export const base = z.strictObject({ model: modelId, revision: revisionId }).meta({ id: "Base", description: "The revision of the operator's catalogue that this one is, or is derived from." });
export type Base = z.infer<typeof base>;

/** What a revision is made of: what its publisher states, and what it stands on. */
export type RevisionBody = RevisionCreate & { readonly base?: Base };

/** What a client gets: the revision without its prices. Served as canonical JSON whose SHA-256 the lease pins. */
export const manifest = z
  .object({
    schema: z.literal(1),
    tenant: tenantId,
    model: modelId,
    revision: revisionId,
    ...revisionDescription,
    base: base.optional(),
    variants: z.array(variant),
  })
  .meta({ id: "Manifest" });
export type Manifest = z.infer<typeof manifest>;

export const revisionBegun = z
  .object({ model: modelId, revision: revisionId, missing: z.array(sha256).meta({ description: "Blobs to PUT before the commit." }) })
  .meta({ id: "RevisionBegun" });
export type RevisionBegun = z.infer<typeof revisionBegun>;

export const model = z
  .object({
    id: modelId,
    task,
    revision: revisionId,
    manifest_sha256: sha256,
    usage: usageMeasure,
    prices,
    size_bytes: amount.meta({ description: "Bytes of all variants, shared chunks once." }),
    variants: z.array(z.object({ id: z.string(), requires: requirements, size_bytes: amount })),
    published_at: timestamp,
    canary: canary.nullable().meta({ description: "The revision that a share of the users gets instead." }),
    waiting: revisionId.nullable().meta({ description: "What the catalogue gives by now, and what goes live by itself when the canary has ended; null where nothing waits." }),
  })
  .meta({ id: "Model" });
export type Model = z.infer<typeof model>;
