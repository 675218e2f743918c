/** Tenants for benches and kill tests: provisioned and given a small model through the public API. */
import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import { model, revisionBegun } from "../../schema/contract/models.ts";
import { keyCreated, tenant } from "../../schema/contract/tenants.ts";
import type { Policy } from "../../schema/contract/policy.ts";
import { type Api, apiAt } from "../../cli/api.ts";

export interface BenchTenant {
  readonly id: string;
  readonly admin: Api;
  /** Secret key with every scope. */
  readonly key: string;
  readonly blob: { readonly sha256: string; readonly size: number };
}

export const BENCH_MODEL = "bench";
export const BENCH_PRICES = { input_nanos_per_token: 50, output_nanos_per_token: 150, call_nanos: 1000 };
const BLOB_BYTES = 1024 * 1024;

export async function makeTenant(operator: Api, id: string, policy: Partial<Policy> = {}): Promise<BenchTenant> {
  await operator.post("/v1/tenants", { id, name: id, policy }, tenant);
  const { key } = await operator.post(`/v1/tenants/${id}/keys`, { type: "secret", name: "bench", scopes: ["admin"] }, keyCreated);
  const admin = apiAt(operator.url, key);
  const bytes = randomBytes(BLOB_BYTES);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const file = { path: "weights.bin", size: bytes.length, sha256, chunks: [{ sha256, size: bytes.length }] };
  const revision = { task: "raw", usage: { measure: "per-run", tokens: 100 }, prices: BENCH_PRICES, variants: [{ id: "all", files: [file] }] };
  const begun = await admin.post(`/v1/tenants/${id}/models/${BENCH_MODEL}/revisions`, revision, revisionBegun);
  for (const missing of begun.missing) await admin.put(`/v1/tenants/${id}/blobs/${missing}`, new Uint8Array(bytes), z.object({ sha256: z.string() }));
  await admin.post(`/v1/tenants/${id}/models/${BENCH_MODEL}/revisions/${begun.revision}/commit`, {}, model);
  return { id, admin, key, blob: { sha256, size: bytes.length } };
}
