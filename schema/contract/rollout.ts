/**
 * Rollout: a revision is a draft, then given to a share of the users (canary), then live, then retired.
 *
 * - One revision of a model is live at a time, and one at most is a canary beside it.
 * - Who is of the share follows from tenant, model and user alone: a higher percentage only adds users.
 */
import { z } from "zod";
import { amount, timestamp } from "./amounts.ts";
import { modelId, revisionId, sha256 } from "./ids.ts";

/** How long a client that has a replaced revision may go on with it while it fetches the new one. */
export const KEEP_REPLACED_SECONDS = 7 * 86_400;

export const STAGES = ["draft", "canary", "live", "retired"] as const;
export type Stage = (typeof STAGES)[number];

const percent = z.int().min(1).max(100);

export const canary = z.object({ revision: revisionId, manifest_sha256: sha256, percent, since: timestamp }).meta({ id: "Canary" });
export type Canary = z.infer<typeof canary>;

export const modelRevision = z
  .object({
    model: modelId,
    revision: revisionId,
    stage: z.enum(STAGES),
    percent: percent.nullable().meta({ description: "Of a canary: the share of the users who get it." }),
    since: timestamp.meta({ description: "Since when it is at this stage; of a canary, since its percentage was set." }),
    committed: z.boolean().meta({ description: "false: its blobs are still on their way." }),
    manifest_sha256: sha256,
    size_bytes: amount,
    created_at: timestamp,
    granted_until: timestamp.nullable().meta({ description: "Of a replaced revision: until when clients that have it may go on with it while they fetch the new one." }),
  })
  .meta({ id: "ModelRevision" });
export type ModelRevision = z.infer<typeof modelRevision>;

export const revisionCommit = z
  .strictObject({ stage: z.enum(["live", "draft"]).optional().meta({ description: "draft: checked and kept, and given to nobody until it is rolled out. Left out: live." }) })
  .meta({ id: "RevisionCommit" });
export type CommitStage = NonNullable<z.infer<typeof revisionCommit>["stage"]>;

export const rolloutCreate = z
  .discriminatedUnion("stage", [
    z.strictObject({ revision: revisionId, stage: z.literal("canary"), percent }),
    z.strictObject({ revision: revisionId, stage: z.literal("live") }),
  ])
  .meta({ id: "RolloutCreate" });
export type RolloutCreate = z.infer<typeof rolloutCreate>;

export const rollbackCreate = z
  .strictObject({ from: revisionId.optional().meta({ description: "Roll back only while this revision is the canary or, without one, live: a repeat then does not go back twice." }) })
  .meta({ id: "RollbackCreate" });
export type RollbackCreate = z.infer<typeof rollbackCreate>;

export const revisionDeleted = z
  .object({
    model: modelId,
    revision: revisionId,
    blobs: amount.meta({ description: "Blobs that no other revision and no draft names: they are deleted." }),
    freed_bytes: amount,
    revoked_leases: amount,
  })
  .meta({ id: "RevisionDeleted" });
export type RevisionDeleted = z.infer<typeof revisionDeleted>;

export const modelDeleted = z
  .object({
    id: modelId,
    revisions: amount.meta({ description: "Revisions and drafts that it had." }),
    blobs: revisionDeleted.shape.blobs,
    freed_bytes: amount,
    revoked_leases: amount,
    cancelled_imports: amount,
    deleted_at: timestamp,
  })
  .meta({ id: "ModelDeleted" });
export type ModelDeleted = z.infer<typeof modelDeleted>;
