/** The erasure of a tenant: how far it is, and the certificate that it ends in. */
import { z } from "zod";
import { amount, timestamp } from "./amounts.ts";
import { requestId, tenantId } from "./ids.ts";

/** In this order. Each may be interrupted anywhere and is then done again. */
export const ERASURE_STEPS = ["inventory", "rows", "objects", "check", "certify", "archive", "forget"] as const;
export type ErasureStep = (typeof ERASURE_STEPS)[number];

/** What there was when the erasure began. */
export const erasedInventory = z
  .object({
    object: z
      .object({
        tables: z.record(z.string(), amount).meta({ description: "Rows of the tenant object's database, by table." }),
        audit_head: z.object({ seq: amount, hash: z.string() }).meta({ description: "The newest event of the tenant's audit chain." }),
      })
      .meta({ description: "The tenant object, erased whole." }),
    records: z.record(z.string(), amount).meta({ description: "Rows in D1, by table." }),
    objects: z.object({
      count: amount,
      bytes: amount,
      digest: z.string().meta({ description: 'SHA-256 over the objects in the order of their keys: d ← SHA-256(d ‖ "\\n" ‖ key ‖ "\\n" ‖ size ‖ "\\n" ‖ etag), from 64 zeros, hex.' }),
    }),
    secrets: amount,
    keys: amount,
  })
  .meta({ id: "ErasedInventory" });
export type ErasedInventory = z.infer<typeof erasedInventory>;

/** The claims of the certificate: a JWS (EdDSA, `typ: erasure+jwt`) by a key of /.well-known/jwks.json. */
export const erasureCertificate = z
  .object({
    iss: z.string(),
    sub: tenantId,
    iat: z.int(),
    started_at: timestamp,
    request_id: requestId,
    erased: erasedInventory,
    remaining: z.object({ records: z.literal(0), objects: z.literal(0) }),
  })
  .meta({ id: "ErasureCertificate" });
export type ErasureCertificate = z.infer<typeof erasureCertificate>;

export const erasure = z
  .object({
    tenant: tenantId,
    state: z.enum(["running", "done"]),
    step: z.enum(ERASURE_STEPS).nullable().meta({ description: "Running: what is being done." }),
    started_at: timestamp,
    finished_at: timestamp.nullable(),
    failures: amount.meta({ description: "Attempts that failed since the last step was done." }),
    certificate: z.string().nullable().meta({ description: "Done: the signed certificate (JWS, compact)." }),
    erased: erasedInventory.nullable().meta({ description: "Done: what the certificate says was erased." }),
  })
  .meta({ id: "Erasure" });
export type Erasure = z.infer<typeof erasure>;
