/** Deleting a model or a revision: what goes, what stays, what it is answered, and that it ends whatever R2 does. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, onTestFinished, test } from "vitest";
import { api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { r2 } from "../../support/r2-tap.ts";
import { type TestTenant, askLease, getLease, leaseState, manifestBytes, objectOf, provisionTenant, publishTinyModel, quotaOf, readyTenant, report } from "../../support/tenant.ts";

const time = clock();
const MINUTE = 60_000;

const remove = (tenant: TestTenant, path: string) => api.delete(`/v1/tenants/${tenant.id}/models/${path}`, { key: tenant.admin });
const keys = async (tenant: TestTenant) => (await env.BLOBS.list({ prefix: `tenants/${tenant.id}/` })).objects.map(({ key }) => key.slice(`tenants/${tenant.id}/`.length)).filter((key) => !key.startsWith("audit"));
const stored = async (tenant: TestTenant) => (await quotaOf(tenant)).storage_bytes.posted;

describe("a model that is deleted", () => {
  test("leaves nothing of its own, and what another shares with it stays", async () => {
    const tenant = await provisionTenant();
    const shared = await publishTinyModel(tenant, { model: "stays", fill: 1 });
    for (const fill of [1, 2, 3]) await publishTinyModel(tenant, { model: "goes", fill });
    await publishTinyModel(tenant, { model: "goes", fill: 4, stage: "draft" });
    await publishTinyModel(tenant, { model: "goes", fill: 5, stage: "open" });
    expect(await stored(tenant)).toBe(5 * 64 + (await manifestBytes(tenant)));
    const answer = expectStatus(await remove(tenant, "goes"), 200).json;
    expect(answer).toMatchObject({ id: "goes", revisions: 5, blobs: 4, freed_bytes: 4 * 64, revoked_leases: 0, cancelled_imports: 0 });
    expect(await keys(tenant)).toEqual([`blobs/${shared.digest}`, `models/stays/${shared.revision}/manifest.json`]);
    expect(await quotaOf(tenant)).toMatchObject({ storage_bytes: { held: 0, posted: 64 + (await manifestBytes(tenant)) }, model_quota: { held: 0, posted: 1 } });
    expect((await api.get(`/v1/tenants/${tenant.id}/models/goes/revisions`, { key: tenant.admin })).json.data).toEqual([]);
    expect((await askLease(tenant, { model: "goes" })).code).toBe("model-not-available");
    const lease = await getLease(tenant, { model: "stays", purpose: "download" });
    expect((await api.get(`/v1/blobs/${shared.digest}`, { key: lease.lease })).status).toBe(200);
    const audit = (await api.get(`/v1/tenants/${tenant.id}/audit?action=MODEL_DELETED`, { key: tenant.reader })).json.data;
    expect(audit).toMatchObject([{ model: "goes", details: { revisions: 5, blobs: 4, freed_bytes: 256 } }]);
  });

  test("takes its leases and imports with it", async () => {
    const tenant = await readyTenant();
    const [lease, settled] = [await getLease(tenant), await getLease(tenant)];
    expectStatus(await report(settled), 200);
    const { id } = expectStatus(await api.post(`/v1/tenants/${tenant.id}/models/tiny/import`, { key: tenant.admin, body: { source: "hf:org/model", variants: ["q4"] } }), 202).json;
    expect(expectStatus(await remove(tenant, "tiny"), 200).json).toMatchObject({ revoked_leases: 1, cancelled_imports: 1 });
    expect((await leaseState(tenant, lease.lease_id)).state).toBe("revoked");
    expect((await leaseState(tenant, settled.lease_id)).state).toBe("settled");
    expect((await api.get("/v1/models/tiny/manifest", { key: lease.lease })).code).toBe("lease-revoked");
    expect((await api.get(`/v1/tenants/${tenant.id}/imports/${id}`, { key: tenant.admin })).json.state).toBe("cancelled");
  });

  test("is answered alike when it is asked for again; what never was is not found; published again it is there again", async () => {
    const tenant = await readyTenant();
    const first = expectStatus(await remove(tenant, "tiny"), 200);
    expect((await remove(tenant, "tiny")).text).toBe(first.text);
    expect((await remove(tenant, "never")).code).toBe("not-found");
    await publishTinyModel(tenant);
    const lease = await getLease(tenant, { purpose: "download" });
    const manifest = expectStatus(await api.get("/v1/models/tiny/manifest", { key: lease.lease }), 200).json;
    expect((await api.get(`/v1/blobs/${manifest.variants[0].files[0].sha256}`, { key: lease.lease })).status).toBe(200);
    expectStatus(await remove(tenant, "tiny"), 200);
    expect(await stored(tenant)).toBe(0);
  });

  test("of many that delete it at once, all are answered alike", async () => {
    const tenant = await readyTenant();
    const answers = await Promise.all([1, 2, 3, 4].map(() => remove(tenant, "tiny")));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect((await api.get(`/v1/tenants/${tenant.id}/audit?action=MODEL_DELETED`, { key: tenant.reader })).json.data).toHaveLength(1);
  });

  test("of more chunks than an answer that is kept can name is begun again under its Idempotency-Key", async () => {
    const tenant = await provisionTenant();
    const chunks = Array.from({ length: 44_000 }, (_, n) => ({ sha256: n.toString(16).padStart(64, "0"), size: 1 }));
    const files = Array.from({ length: 11 }, (_, n) => ({ path: `${n}.bin`, size: 4_000, chunks: chunks.slice(n * 4_000, (n + 1) * 4_000) }));
    const body = { task: "raw", usage: { measure: "per-run", tokens: 1 }, prices: { input_nanos_per_token: 0, output_nanos_per_token: 0 }, variants: [{ id: "all", files }] };
    const begin = (more: object = {}) => api.post(`/v1/tenants/${tenant.id}/models/tiny/revisions`, { key: tenant.admin, idempotencyKey: "large", body: { ...body, ...more } });
    const [first, again] = [expectStatus(await begin(), 201), expectStatus(await begin(), 201)];
    expect([first.json.missing.length, again.text === first.text]).toEqual([44_000, true]);
    expect((await begin({ licence: "MIT" })).code).toBe("idempotency-key-reused");
  });

  test("of more chunks than one value can name is begun and deleted", async () => {
    const tenant = await provisionTenant();
    const call = { presented: { kind: "operator" }, access: ["operator"], requestId: "req_test" } as const;
    const object = objectOf(tenant.id);
    const named = (n: number) => n.toString(16).padStart(64, "0");
    // 67 bytes each at least: 17.4 MB, where the platform binds 2 MB, and workerd by itself 16 MB.
    const sizes = Object.fromEntries(Array.from({ length: 260_000 }, (_, n) => [named(n), 1]));
    const of = { model: "tiny", revision: `rev_${"1".repeat(24)}`, manifestSha256: "0".repeat(64), manifestBytes: 2, facts: { sizeBytes: 260_000 } };
    const admitted = (await object.ask("models", "admitRevision", [call, of])) as { value: { admission: string } };
    const begun = (await object.ask("models", "begin", [call, of, sizes, admitted.value.admission])) as { value: { missing: string[] } };
    expect(begun.value.missing).toHaveLength(260_000);
    expect(expectStatus(await remove(tenant, "tiny"), 200).json).toMatchObject({ revisions: 1, blobs: 0 });
  });

  test("is gone for everybody while R2 fails, counts as stored until its bytes are gone, and the alarm ends it", async () => {
    time.set("2040-11-20T10:00:00Z"); // in the future, so that no alarm fires but those that the test runs
    onTestFinished(() => r2.heal());
    const tenant = await readyTenant();
    r2.fail(() => "refuse");
    expectStatus(await remove(tenant, "tiny"), 200);
    expect((await askLease(tenant)).code).toBe("model-not-available");
    r2.heal();
    expect([await stored(tenant), (await keys(tenant)).length]).toEqual([64 + (await manifestBytes(tenant)), 2]);
    // Whether the first deletions were done is not known: nothing of these names may be put until they would have been.
    await expect(publishTinyModel(tenant)).rejects.toThrow("conflict");
    await expect(publishTinyModel(tenant, { model: "other" })).rejects.toThrow("unavailable");
    const other = (await env.BLOBS.head((await keys(tenant)).filter((key) => key.startsWith("models/other/")).map((key) => `tenants/${tenant.id}/${key}`)[0] as string))?.size;
    time.advance(MINUTE);
    await expect.poll(async () => {
      await runDurableObjectAlarm(objectOf(tenant.id));
      return [await stored(tenant), (await keys(tenant)).filter((key) => !key.includes("other"))];
    }, { timeout: 10_000 }).toEqual([other, []]);
    await publishTinyModel(tenant);
    expect((await keys(tenant)).filter((key) => !key.includes("other"))).toHaveLength(2);
  });
});

describe("a revision", () => {
  test("that is a draft or retired is deleted, with the blobs that it alone names", async () => {
    const tenant = await readyTenant();
    const [draft, open] = [await publishTinyModel(tenant, { fill: 8, stage: "draft" }), await publishTinyModel(tenant, { fill: 9, stage: "open" })];
    const live = await publishTinyModel(tenant, { fill: 10 });
    const { data } = (await api.get(`/v1/tenants/${tenant.id}/models/tiny/revisions`, { key: tenant.admin })).json;
    const retired = data.find(({ stage }: { stage: string }) => stage === "retired").revision;
    const lease = await getLease(tenant, { purpose: "download", revision: retired });
    for (const revision of [draft.revision, open.revision, retired]) {
      expect(expectStatus(await remove(tenant, `tiny/revisions/${revision}`), 200).json).toMatchObject({ blobs: 1, freed_bytes: 64, revoked_leases: revision === retired ? 1 : 0 });
    }
    expect((await leaseState(tenant, lease.lease_id)).state).toBe("revoked");
    expect(await keys(tenant)).toEqual([`blobs/${live.digest}`, `models/tiny/${live.revision}/manifest.json`]);
    // Nothing is left to go back to.
    expect((await api.post(`/v1/tenants/${tenant.id}/models/tiny/rollback`, { key: tenant.admin, body: {} })).code).toBe("conflict");
    expect((await remove(tenant, `tiny/revisions/${draft.revision}`)).code).toBe("not-found");
  });

  test("that is live or a canary is not", async () => {
    const tenant = await readyTenant();
    const canary = await publishTinyModel(tenant, { fill: 8, stage: "draft" });
    expectStatus(await api.post(`/v1/tenants/${tenant.id}/models/tiny/rollout`, { key: tenant.admin, body: { revision: canary.revision, stage: "canary", percent: 1 } }), 200);
    for (const { revision } of [canary, { revision: (await getLease(tenant)).model.revision }]) expect((await remove(tenant, `tiny/revisions/${revision}`)).code).toBe("conflict");
  });

  test("that is deleted while it is begun is not begun: its manifest would be gone", async () => {
    const tenant = await provisionTenant();
    const call = { presented: { kind: "operator" }, access: ["operator"], requestId: "req_test" } as const;
    const of = { model: "tiny", revision: `rev_${"1".repeat(24)}`, manifestSha256: "0".repeat(64), manifestBytes: 2, facts: { sizeBytes: 1 } };
    const admitted = (await objectOf(tenant.id).ask("models", "admitRevision", [call, of])) as { value: { admission: string } };
    expectStatus(await remove(tenant, "tiny"), 200);
    // Somebody begins it once more meanwhile: it is another draft than the first one's.
    const again = (await objectOf(tenant.id).ask("models", "admitRevision", [call, of])) as { value: { admission: string } };
    expect(await objectOf(tenant.id).ask("models", "begin", [call, of, {}, admitted.value.admission])).toMatchObject({ ok: false, refusal: { code: "conflict" } });
    expect(await objectOf(tenant.id).ask("models", "begin", [call, of, {}, again.value.admission])).toMatchObject({ ok: true });
  });

  test("that is deleted before its manifest is stored leaves none behind", async () => {
    time.set("2040-11-20T10:00:00Z");
    const tenant = await provisionTenant();
    const call = { presented: { kind: "operator" }, access: ["operator"], requestId: "req_test" } as const;
    const of = { model: "tiny", revision: `rev_${"1".repeat(24)}`, manifestSha256: "0".repeat(64), manifestBytes: 2, facts: { sizeBytes: 1 } };
    const admitted = (await objectOf(tenant.id).ask("models", "admitRevision", [call, of])) as { value: { admission: string } };
    expectStatus(await remove(tenant, "tiny"), 200);
    await env.BLOBS.put(`tenants/${tenant.id}/models/tiny/${of.revision}/manifest.json`, "{}");
    expect(await objectOf(tenant.id).ask("models", "begin", [call, of, {}, admitted.value.admission])).toMatchObject({ ok: false, refusal: { code: "conflict" } });
    await runDurableObjectAlarm(objectOf(tenant.id));
    await expect.poll(() => keys(tenant), { timeout: 10_000 }).toEqual([]);
  });
});
