/**
 * Imports: a model fetched from a hub by name, chunk by chunk, and published once all of it is here.
 *
 * - What the body does not state (task, usage, licence) is read off the hub's description of the model.
 * - An import that is under way goes on by itself after any interruption, at the chunk where it was.
 */
import { z } from "zod";
import { amount, timestamp } from "./amounts.ts";
import { modelId, revisionId } from "./ids.ts";
import { cacheMode, filePath, prices, task, usageMeasure } from "./models.ts";
import { revisionCommit } from "./rollout.ts";
import { selfTest } from "./self-test.ts";

/** Builds by the names that hubs give them; each is one file `onnx/<stem>.onnx` with what it names as external data. */
export const BUILDS = {
  fp32: "model", fp16: "model_fp16", q8: "model_quantized", int8: "model_int8", uint8: "model_uint8", q4: "model_q4", q4f16: "model_q4f16", bnb4: "model_bnb4",
} as const satisfies Record<string, string>;
export type Build = keyof typeof BUILDS;
export const build = z.enum(Object.keys(BUILDS) as [Build, ...Build[]]);

export const importId = z
  .string()
  .regex(/^imp_[0-9a-z]{24}$/)
  .brand<"ImportId">()
  .meta({ description: "Import id.", example: "imp_01k9x2m4p6r8t0v2x4z6b8d0" });
export type ImportId = z.infer<typeof importId>;

export const importCreate = z
  .strictObject({
    source: z
      .string()
      .regex(/^hf:[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/, "hf:<organisation>/<model>")
      .meta({ example: "hf:HuggingFaceTB/SmolLM2-135M-Instruct" }),
    revision: z
      .string()
      .max(100)
      .regex(/^[A-Za-z0-9][\w.-]*(?:\/[A-Za-z0-9][\w.-]*)*$/, "a branch, a tag, a commit or a pull request's reference")
      .default("main"),
    variants: z
      .array(build)
      .min(1)
      .max(Object.keys(BUILDS).length)
      .refine((builds) => new Set(builds).size === builds.length, "each build once")
      .meta({ description: "In the order in which clients prefer them." }),
    task: task.optional(),
    usage: usageMeasure.optional(),
    prices: prices.default({ input_nanos_per_token: 0, output_nanos_per_token: 0 }),
    licence: z.string().min(1).max(100).optional(),
    cache: cacheMode.optional(),
    self_test: selfTest.optional(),
    control_flow: z.literal(true).optional(),
    stage: revisionCommit.shape.stage,
  })
  .meta({ id: "ImportCreate" });
export type ImportCreate = z.infer<typeof importCreate>;

/** Why an import ended without a revision. */
export const IMPORT_FAULTS = {
  "source-not-found": "The hub has no such model, revision or build.",
  "source-forbidden": "The hub refuses the model. Put the secret `huggingface-token` of an account that may read it.",
  "source-unreachable": "The hub could not be reached, many times in a row.",
  "source-unsafe": "The hub's answer led to an address that is not of the public internet, or was not what a hub answers.",
  "source-without-ranges": "The hub does not know `Range`, without which a file of more than 256 MiB can't be fetched a while at a time. Import from one that does, or upload the files through the API.",
  "source-changed": "A file is not as large as the hub said.",
  "digest-mismatch": "A file is not the one whose digest the hub states.",
  "task-unknown": "What the model is for can't be read off the hub. State task and usage.",
  "service-failed": "Something failed on our side, many times in a row. Tell the operator, and import it again.",
  "model-refused": "The model can't be published: the detail says which limit or check refused it.",
} as const satisfies Record<string, string>;
export type ImportFault = keyof typeof IMPORT_FAULTS;

export const IMPORT_STATES = ["queued", "running", "done", "failed", "cancelled"] as const;

export const modelImport = z
  .object({
    id: importId,
    model: modelId,
    source: z.string(),
    commit: z.string().nullable().meta({ description: "The commit that `revision` named when the import began; all files are of it." }),
    state: z.enum(IMPORT_STATES),
    bytes_total: amount,
    bytes_done: amount,
    files: z.array(z.object({ path: filePath, size: amount, bytes_done: amount })),
    revision: revisionId.nullable().meta({ description: "The revision that it became." }),
    fault: z.object({ code: z.enum(Object.keys(IMPORT_FAULTS) as [ImportFault, ...ImportFault[]]), detail: z.string() }).nullable(),
    retrying: z.object({ attempts: amount, next_at: timestamp, error: z.string() }).nullable().meta({ description: "The hub failed last time; when it is asked again." }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: "ModelImport" });
export type ModelImport = z.infer<typeof modelImport>;
