/** Secrets of a tenant: put and deleted, listed by name and version. No answer ever holds a value. */
import { z } from "zod";
import { amount, timestamp } from "./amounts.ts";

export const MAX_SECRET_LENGTH = 8192;

export const secretName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, "1–64 of a–z, 0–9 and '-', not at an end")
  .brand<"SecretName">()
  .meta({ description: "Name of a secret.", example: "openai-key" });
export type SecretName = z.infer<typeof secretName>;

export const secretPut = z
  .strictObject({
    value: z
      .string()
      .min(1)
      .max(MAX_SECRET_LENGTH)
      .regex(/^\P{Cs}+$/u, "well-formed text")
      .meta({ description: "The secret itself. It is never shown again." }),
  })
  .meta({ id: "SecretPut" });

export const secret = z
  .object({
    name: secretName,
    version: amount.meta({ description: "Counts every value that this name ever had." }),
    created_at: timestamp.meta({ description: "When the name first had a value." }),
    updated_at: timestamp,
    last_used_at: timestamp.nullable().meta({ description: "To the minute." }),
  })
  .meta({ id: "Secret" });
export type Secret = z.infer<typeof secret>;

export const secretsRewrapped = z
  .object({
    master_key: z.string().meta({ description: "Id of the master key that the tenant's data key is wrapped under now." }),
    rewrapped: z.boolean().meta({ description: "Whether it was wrapped under another one before." }),
  })
  .meta({ id: "SecretsRewrapped" });
export type SecretsRewrapped = z.infer<typeof secretsRewrapped>;
