/** `storage_bytes` and `model_quota`: exact under concurrency, live in /quota. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { OPERATOR_KEY, api } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { tinyOnnx } from "../../support/onnx.ts";
import { type TestTenant, objectOf, provisionTenant, publishTinyModel, quotaOf, sha256Hex } from "../../support/tenant.ts";

const time = clock();

const putBlob = async (tenant: TestTenant, bytes: Uint8Array<ArrayBuffer>) => api.put(`/v1/tenants/${tenant.id}/blobs/${await sha256Hex(bytes)}`, { key: OPERATOR_KEY, body: bytes });
const blob = (fill: number) => tinyOnnx(100, fill);

test("of many uploads at once exactly those that fit are stored", async () => {
  const tenant = await provisionTenant({ policy: { storage_bytes: 550 } });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => putBlob(tenant, blob(index))));
  expect(answers.filter((answer) => answer.status === 201)).toHaveLength(5);
  const refused = answers.find((answer) => answer.status !== 201);
  expect([refused?.status, refused?.code]).toEqual([403, "storage-quota-exceeded"]);
  expect(await quotaOf(tenant)).toMatchObject({ storage_bytes: { limit: 550, held: 0, posted: 500, remaining: 50, reset: null } });
  const stored = await env.BLOBS.list({ prefix: `tenants/${tenant.id}/blobs/` });
  expect(stored.objects).toHaveLength(5);
});

test("the same blob many times at once is stored and counted once", async () => {
  const tenant = await provisionTenant({ policy: { storage_bytes: 100 } });
  const answers = await Promise.all(Array.from({ length: 10 }, () => putBlob(tenant, blob(1))));
  expect(answers.every((answer) => answer.status === 200 || answer.status === 201)).toBe(true);
  expect(await quotaOf(tenant)).toMatchObject({ storage_bytes: { held: 0, posted: 100, remaining: 0 } });
  expect((await putBlob(tenant, blob(1))).status).toBe(200);
  expect((await putBlob(tenant, new Uint8Array(1))).code).toBe("storage-quota-exceeded");
});

test("an upload that never came to its end gives its place back after a while", async () => {
  time.set("2026-11-20T10:00:00Z");
  const tenant = await provisionTenant({ policy: { storage_bytes: 100 } });
  const call = { presented: { kind: "operator" }, access: ["operator"], requestId: "req_test" } as const;
  const digest = await sha256Hex(blob(1));
  await objectOf(tenant.id).ask("uploads", "admit", [call, digest, 100]);
  expect(await quotaOf(tenant)).toMatchObject({ storage_bytes: { held: 100, posted: 0, remaining: 0 } });
  expect((await putBlob(tenant, blob(2))).code).toBe("storage-quota-exceeded");
  time.advance(600_000);
  expect((await putBlob(tenant, blob(2))).status).toBe(201);
  // Now the first, late, finds no room: refused, and not counted.
  const late = await objectOf(tenant.id).ask("uploads", "record", [call, digest, 100]);
  expect(late).toMatchObject({ ok: false, refusal: { code: "storage-quota-exceeded" } });
  expect(await quotaOf(tenant)).toMatchObject({ storage_bytes: { held: 0, posted: 100 } });
});

test("model_quota counts live models; a new revision of one needs no further place", async () => {
  const tenant = await provisionTenant({ model_quota: 2 });
  await publishTinyModel(tenant, { model: "one" });
  await publishTinyModel(tenant, { model: "two" });
  await publishTinyModel(tenant, { model: "two", fill: 8 });
  expect(await quotaOf(tenant)).toMatchObject({ model_quota: { limit: 2, posted: 2, remaining: 0 } });
  await expect(publishTinyModel(tenant, { model: "three" })).rejects.toThrow("model-quota-exceeded");
});

test("of two models that are begun at once where one has room, one is", async () => {
  const tenant = await provisionTenant({ model_quota: 1 });
  const bytes = blob(1);
  const digest = await sha256Hex(bytes);
  const body = {
    task: "raw", usage: { measure: "per-run", tokens: 1 }, prices: { input_nanos_per_token: 0, output_nanos_per_token: 0 },
    variants: [{ id: "all", files: [{ path: "m.onnx", size: 100, sha256: digest, chunks: [{ sha256: digest, size: 100 }] }] }],
  };
  const begun = await Promise.all(["a", "b"].map((model) => api.post(`/v1/tenants/${tenant.id}/models/${model}/revisions`, { key: OPERATOR_KEY, body })));
  await putBlob(tenant, bytes);
  expect(begun.map((answer) => answer.status).sort()).toEqual([201, 403]);
  const { json } = begun.find((answer) => answer.status === 201) as (typeof begun)[number];
  expect((await api.post(`/v1/tenants/${tenant.id}/models/${json.model}/revisions/${json.revision}/commit`, { key: OPERATOR_KEY })).status).toBe(200);
  expect(await quotaOf(tenant)).toMatchObject({ model_quota: { posted: 1 } });
});

test("a revision whose chunk is not as large as its manifest says does not become live", async () => {
  const tenant = await provisionTenant();
  const bytes = blob(1);
  const digest = await sha256Hex(bytes);
  const body = {
    task: "raw", usage: { measure: "per-run", tokens: 1 }, prices: { input_nanos_per_token: 0, output_nanos_per_token: 0 },
    variants: [{ id: "all", files: [{ path: "m.onnx", size: 99, sha256: digest, chunks: [{ sha256: digest, size: 99 }] }] }],
  };
  const { json } = await api.post(`/v1/tenants/${tenant.id}/models/m/revisions`, { key: OPERATOR_KEY, body });
  const commit = () => api.post(`/v1/tenants/${tenant.id}/models/m/revisions/${json.revision}/commit`, { key: OPERATOR_KEY });
  expect((await commit()).json).toMatchObject({ status: 409, code: "revision-incomplete" });
  await putBlob(tenant, bytes);
  const wrong = await commit();
  expect([wrong.code, wrong.json.detail]).toEqual(["revision-incomplete", expect.stringContaining("has 100")]);
});
