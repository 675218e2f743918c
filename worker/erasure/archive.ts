/**
 * Certificates of erasures, in the shared bucket and outside of every tenant's prefix: they outlive what they certify.
 * A certificate here also keeps its tenant's id from being taken again, whatever became of the tenant object.
 */
import type { TenantId } from "../../schema/contract/ids.ts";
import type { Env } from "../env.ts";

const keyOf = (tenant: TenantId) => `erasures/${tenant}/certificate.jws`;

export async function archiveCertificate(env: Env, tenant: TenantId, certificate: string): Promise<void> {
  await env.BLOBS.put(keyOf(tenant), certificate, { httpMetadata: { contentType: "application/jose" } });
}

/** Null where this tenant was never erased. */
export async function archivedCertificate(env: Env, tenant: TenantId): Promise<string | null> {
  return (await env.BLOBS.get(keyOf(tenant)))?.text() ?? null;
}
