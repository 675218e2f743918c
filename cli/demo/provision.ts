/**
 * Brings a tenant of the demo to where it can be used, through the public API alone: the tenant, its keys, its model.
 *
 * - What is there already is kept, so a second run is quick and goes on with the same keys.
 * - Keys are shown once, so they are kept in `<state>/demo-keys.json` (mode 0600). A publishable key is bound to its
 *   site's origin: where the site has another port than last time, the key is revoked and a new one made.
 * - The operator makes the tenant and its first key; all else is done as the tenant's own admin.
 */
import { join } from "node:path";
import { z } from "zod";
import { key, keyCreated, tenant } from "../../schema/contract/tenants.ts";
import { type Api, ApiProblem, apiAt } from "../api.ts";
import { readPrivate, writePrivate } from "../private-file.ts";
import { publishModel } from "../publish.ts";
import { CHAT_MODEL, chatPublication } from "./chat-model.ts";
import { OCR_MODEL, ocrPublication } from "./ocr-model.ts";
import type { DemoTenant } from "./tenants.ts";

const tenantKeys = z.object({
  /** Secret key with the scope `admin`. */
  admin: z.string(),
  /** Secret key of the tenant's back end, with the scope `leases`. */
  backend: z.string(),
  publishable: z.object({ id: z.string(), key: z.string(), origin: z.string() }),
});
export type TenantKeys = z.infer<typeof tenantKeys>;
const allKeys = z.record(z.string(), tenantKeys);

export async function createTenant(operator: Api, { create }: DemoTenant): Promise<void> {
  try {
    await operator.post("/v1/tenants", create, tenant);
  } catch (error) {
    if (!(error instanceof ApiProblem && error.problem.code === "conflict")) throw error; // it is there: kept
  }
}

export async function tenantKeysFor(operator: Api, { id }: DemoTenant, origin: string, stateDir: string): Promise<TenantKeys> {
  const path = join(stateDir, "demo-keys.json");
  const kept = (await readPrivate(path, allKeys)) ?? {};
  const before = kept[id];
  const keys = before ? await rebind(operator.url, id, before, origin) : await makeKeys(operator, id, origin);
  if (keys !== before) await writePrivate(path, JSON.stringify({ ...kept, [id]: keys }, null, 2));
  return keys;
}

export interface Publishing {
  readonly onProgress: (sent: number, total: number) => void;
  readonly signal: AbortSignal;
}

export async function publishOcr(url: string, { id, prices }: DemoTenant, { admin }: TenantKeys, how: Publishing): Promise<void> {
  await publishModel(apiAt(url, admin), id, OCR_MODEL, ocrPublication(prices), how);
}

export async function publishChat(url: string, { id, prices }: DemoTenant, { admin }: TenantKeys, folder: string, how: Publishing): Promise<void> {
  await publishModel(apiAt(url, admin), id, CHAT_MODEL, chatPublication(folder, prices), how);
}

async function makeKeys(operator: Api, id: string, origin: string): Promise<TenantKeys> {
  const keys = `/v1/tenants/${id}/keys`;
  const { key: admin } = await operator.post(keys, { type: "secret", name: "Demo: admin", scopes: ["admin"] }, keyCreated);
  const own = apiAt(operator.url, admin);
  const { key: backend } = await own.post(keys, { type: "secret", name: "Demo: back end", scopes: ["leases"] }, keyCreated);
  return { admin, backend, publishable: await makePublishable(own, id, origin) };
}

async function rebind(url: string, id: string, kept: TenantKeys, origin: string): Promise<TenantKeys> {
  if (kept.publishable.origin === origin) return kept;
  const own = apiAt(url, kept.admin);
  const publishable = await makePublishable(own, id, origin);
  await own.delete(`/v1/tenants/${id}/keys/${kept.publishable.id}`, key);
  return { ...kept, publishable };
}

async function makePublishable(own: Api, tenantId: string, origin: string): Promise<TenantKeys["publishable"]> {
  const made = await own.post(`/v1/tenants/${tenantId}/keys`, { type: "publishable", name: "Demo: site", origins: [origin] }, keyCreated);
  return { id: made.id, key: made.key, origin };
}
