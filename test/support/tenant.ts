/**
 * Tenants for tests in workerd, made through the public API alone: provisioned, with keys and tiny published models.
 *
 * - Ids are new on every call, so that tests of one file share nothing but the database.
 * - `tokens` of a lease cost 1 and 2 nano-dollars in and out and 5 a call, unless a test names other prices.
 */
import { env } from "cloudflare:workers";
import type { Policy } from "../../schema/contract/policy.ts";
import type { KeyCreate, KeyLimits, TenantCreate } from "../../schema/contract/tenants.ts";
import type { TenantObject } from "../../worker/ledger/tenant-object.ts";
import { tinyOnnx } from "./onnx.ts";
import { type Answer, type Ask, OPERATOR_KEY, api, expectStatus } from "./api.ts";

export const ORIGIN = "https://shop.example";

export interface TestTenant {
  readonly id: string;
  /** Secret key with the scope admin. */
  readonly admin: string;
  /** Secret key with the scope leases. */
  readonly secret: string;
  /** Secret key with the scope read. */
  readonly reader: string;
  /** Publishable key for `ORIGIN`. */
  readonly publishable: string;
}

export interface TinyModel {
  readonly id: string;
  readonly revision: string;
  readonly digest: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

let count = 0;

export const newTenantId = (name = "t"): string => `${name}-${Date.now().toString(36)}-${(count++).toString(36)}`;

/** Provisions a tenant and its four keys. */
export async function provisionTenant(more: Partial<Omit<TenantCreate, "policy">> & { policy?: Partial<Policy> } = {}): Promise<TestTenant> {
  const id = more.id ?? newTenantId();
  expectStatus(await api.post("/v1/tenants", { key: OPERATOR_KEY, body: { name: `Tenant ${id}`, ...more, id } }), 201);
  const admin = await makeKey(id, { type: "secret", name: "admin", scopes: ["admin"] });
  const secret = await makeKey(id, { type: "secret", name: "back end", scopes: ["leases"] });
  const reader = await makeKey(id, { type: "secret", name: "reports", scopes: ["read"] });
  const publishable = await makeKey(id, { type: "publishable", name: "site", origins: [ORIGIN] });
  return { id, admin: admin.key, secret: secret.key, reader: reader.key, publishable: publishable.key };
}

/** Of a key's limits, those that a test is about. */
type KeyAsk = Omit<KeyCreate, "limits"> & { limits?: Partial<KeyLimits> };

export async function makeKey(tenant: string, body: KeyAsk, by = OPERATOR_KEY): Promise<{ id: string; key: string }> {
  return expectStatus(await api.post(`/v1/tenants/${tenant}/keys`, { key: by, body }), 201).json;
}

export const DEFAULT_PRICES = { input_nanos_per_token: 1, output_nanos_per_token: 2, call_nanos: 5 };

/** Publishes a model of one ONNX file of one chunk. The same `model`, `size` and `fill` give the same revision. `stage` open: it is not committed. */
export async function publishTinyModel(
  tenant: Pick<TestTenant, "id">,
  options: { model?: string; size?: number; fill?: number; prices?: object; by?: string; stage?: "live" | "draft" | "open"; controlFlow?: boolean } = {},
): Promise<TinyModel> {
  const { model = "tiny", size = 64, fill = 7, prices = DEFAULT_PRICES, by = OPERATOR_KEY, stage, controlFlow = false } = options;
  const bytes = tinyOnnx(size, fill);
  const digest = await sha256Hex(bytes);
  const file = { path: "onnx/model.onnx", size, sha256: digest, chunks: [{ sha256: digest, size }] };
  const body = { task: "raw", usage: { measure: "per-run", tokens: 1 }, variants: [{ id: "all", files: [file] }], prices, ...(controlFlow && { control_flow: true }) };
  const at = `/v1/tenants/${tenant.id}`;
  const begun = expectStatus(await api.post(`${at}/models/${model}/revisions`, { key: by, body }), 201).json;
  for (const missing of begun.missing as string[]) expectStatus(await api.put(`${at}/blobs/${missing}`, { key: by, body: bytes }), 200, 201);
  if (stage !== "open") expectStatus(await api.post(`${at}/models/${model}/revisions/${begun.revision}/commit`, { key: by, body: stage === undefined ? {} : { stage } }), 200);
  return { id: model, revision: begun.revision, digest, bytes };
}

/** A tenant with keys and the model `tiny`, ready to grant leases. */
export async function readyTenant(policy: Partial<Policy> = {}, prices?: object): Promise<TestTenant> {
  const tenant = await provisionTenant({ policy });
  await publishTinyModel(tenant, prices === undefined ? {} : { prices });
  return tenant;
}

/** Asks for a lease with the tenant's secret key, unless `ask.key` names another. */
export function askLease(tenant: TestTenant, body: Record<string, unknown> = {}, ask: Ask = {}): Promise<Answer> {
  const tokens = body.purpose === "download" ? {} : { tokens: 100 };
  return api.post("/v1/leases", { key: tenant.secret, ...ask, body: { model: "tiny", ...tokens, ...body } });
}

/** Asks for a lease and expects to get it. */
export async function getLease(tenant: TestTenant, body: Record<string, unknown> = {}, ask: Ask = {}) {
  return expectStatus(await askLease(tenant, body, ask), 201).json;
}

export interface GrantedLease {
  readonly lease_id: string;
  readonly lease: string;
}

/** Reports usage with the lease itself; `final` unless the report says otherwise. */
export function report(lease: GrantedLease, body: Record<string, unknown> = {}, ask: Ask = {}): Promise<Answer> {
  const whole = { seq: 0, request_id: "req_test", input_tokens: 0, output_tokens: 0, outcome: "ok", latency_ms: 10, backend: "wasm", cache: "hit", final: true, ...body };
  return api.post(`/v1/leases/${lease.lease_id}/usage`, { key: lease.lease, ...ask, body: whole });
}

/** The live balances, of `user` too where one is named. */
export async function quotaOf(tenant: TestTenant, user?: string) {
  const query = user === undefined ? "" : `?user=${encodeURIComponent(user)}`;
  return expectStatus(await api.get(`/v1/tenants/${tenant.id}/quota${query}`, { key: tenant.reader }), 200).json;
}

/** The state of a lease as the tenant's back end sees it. */
export async function leaseState(tenant: TestTenant, leaseId: string) {
  return expectStatus(await api.get(`/v1/leases/${leaseId}`, { key: tenant.secret }), 200).json;
}

/** What the tenant's manifests take in R2. */
export async function manifestBytes(tenant: Pick<TestTenant, "id">): Promise<number> {
  const { objects } = await env.BLOBS.list({ prefix: `tenants/${tenant.id}/models/` });
  return objects.reduce((sum, { size }) => sum + size, 0);
}

/** The tenant's object, for what only a test may do: run its alarm, evict it, look into its SQLite. */
export function objectOf(tenant: string): DurableObjectStub<TenantObject> {
  return env.TENANTS.get(env.TENANTS.idFromName(tenant));
}

export async function sha256Hex(bytes: Uint8Array<ArrayBuffer> | string): Promise<string> {
  const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", data))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
